/**
 * The layout of the store in PostgreSQL, as steps that are taken in order and never changed once published.
 *
 * Keys and groups are `bytea`: `text` cannot hold every key, and collations do not get a say in what is equal.
 * The groups stand in the row itself: so every operation is one statement, atomic without a transaction, and no
 * second table can disagree with the first.
 */
import type { PoolClient } from 'pg';
import { StoreUnavailable } from './driver.ts';

const migrations: readonly string[] = [
  `CREATE TABLE valetkey.records (
     key bytea PRIMARY KEY,
     value bytea NOT NULL,
     expires_at bigint,
     groups bytea[] NOT NULL
   );
   ALTER TABLE valetkey.records ALTER COLUMN value SET STORAGE EXTERNAL;
   CREATE INDEX records_by_expiry ON valetkey.records (expires_at) WHERE expires_at IS NOT NULL;
   CREATE INDEX records_by_group ON valetkey.records USING gin (groups);`,
];

export const newestVersion = migrations.length;

/** Any number, the same for all of us: `valetkey` in ASCII. */
const lockKey = '8529470812284478841';

/**
 * Brings the database to the newest layout. Of several that start at once one does it, the others wait. Where
 * nothing is to be done nothing is asked of the role but to read, so a role without rights to create will do.
 *
 * @returns from which version to which.
 * @throws StoreUnavailable when the layout is newer than this version of the gateway; whatever the database says.
 */
export async function migratePostgres(client: PoolClient): Promise<{ from: number; to: number }> {
  const found = await readVersion(client);
  if (found === newestVersion) return { from: found, to: found };
  await client.query('BEGIN');
  try {
    await client.query("SET LOCAL statement_timeout = '60s'");
    await client.query('SELECT pg_advisory_xact_lock($1)', [lockKey]);
    const from = await readVersion(client);
    for (const [index, sql] of migrations.entries()) {
      if (index < from) continue;
      if (index === 0) await client.query(groundwork);
      await client.query(sql);
      await client.query('INSERT INTO valetkey.migrations (version) VALUES ($1)', [index + 1]);
    }
    await client.query('COMMIT');
    return { from, to: newestVersion };
  } catch (fault) {
    await client.query('ROLLBACK').catch(() => {});
    throw fault;
  }
}

const groundwork = `
  CREATE SCHEMA IF NOT EXISTS valetkey;
  CREATE TABLE valetkey.migrations (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
  );`;

async function readVersion(client: PoolClient): Promise<number> {
  // Not to_regclass: within a transaction it may answer from a cache that another session's commit has not reached.
  const exists = await client.query<{ found: boolean }>(
    `SELECT count(*) > 0 AS found FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n
     ON n.oid = c.relnamespace WHERE n.nspname = 'valetkey' AND c.relname = 'migrations'`,
  );
  if (exists.rows[0]?.found !== true) return 0;
  const { rows } = await client.query<{ version: number }>(
    'SELECT coalesce(max(version), 0) AS version FROM valetkey.migrations',
  );
  const version = rows[0]?.version ?? 0;
  if (version > newestVersion) {
    throw new StoreUnavailable(
      `The PostgreSQL store was made by a newer version (layout ${version}, this version knows ${newestVersion})`,
    );
  }
  return version;
}
