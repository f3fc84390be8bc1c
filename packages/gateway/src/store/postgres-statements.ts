/** The SQL of the store: one statement per operation, each atomic by itself at every isolation level. */
import type { DriverRecord, KeyedRecord } from './driver.ts';
import type { Statement } from './postgres-pool.ts';

function statement(name: string, text: string): Statement {
  // The name is the cache key on the connection: a new text needs a new name, hence the version.
  return { name: `valetkey_${name}_1`, text };
}

const columns = 'key, value, expires_at, groups';
const live = (now: string) => `(records.expires_at IS NULL OR records.expires_at > ${now})`;

export const statements = {
  /** key, now */
  get: statement('get', `SELECT ${columns} FROM valetkey.records WHERE key = $1 AND ${live('$2')}`),

  /** key, value, expiry, groups */
  put: statement(
    'put',
    `INSERT INTO valetkey.records (${columns}) VALUES ($1, $2, $3, $4)
     ON CONFLICT (key) DO UPDATE
       SET value = excluded.value, expires_at = excluded.expires_at, groups = excluded.groups`,
  ),

  /** key, value, expiry, groups, now. An expired record is in nobody's way. */
  create: statement(
    'create',
    `INSERT INTO valetkey.records (${columns}) VALUES ($1, $2, $3, $4)
     ON CONFLICT (key) DO UPDATE
       SET value = excluded.value, expires_at = excluded.expires_at, groups = excluded.groups
       WHERE NOT ${live('$5')}`,
  ),

  /** key, value, expiry, groups, now, expected */
  replace: statement(
    'replace',
    `UPDATE valetkey.records SET value = $2, expires_at = $3, groups = $4
     WHERE key = $1 AND value = $6 AND ${live('$5')}`,
  ),

  /** key. Gives the row, live or not. */
  take: statement('take', `DELETE FROM valetkey.records WHERE key = $1 RETURNING ${columns}`),

  /** group, now */
  list: statement(
    'list',
    `SELECT ${columns} FROM valetkey.records WHERE groups @> ARRAY[$1::bytea] AND ${live('$2')}`,
  ),

  /** group, now. Rows are locked in one order, so that two at once do not wait for each other. */
  deleteGroup: statement(
    'delete_group',
    `WITH doomed AS MATERIALIZED (
       SELECT key FROM valetkey.records WHERE groups @> ARRAY[$1::bytea] ORDER BY key FOR UPDATE
     ), gone AS (
       DELETE FROM valetkey.records USING doomed WHERE records.key = doomed.key RETURNING records.expires_at
     )
     SELECT count(*) AS live FROM gone AS records WHERE ${live('$2')}`,
  ),

  /** after, now, limit */
  scan: statement(
    'scan',
    `SELECT ${columns} FROM valetkey.records WHERE key > $1 AND ${live('$2')} ORDER BY key LIMIT $3`,
  ),

  /** now, limit. Replicas that sweep at the same moment share the work. */
  sweep: statement(
    'sweep',
    `WITH due AS MATERIALIZED (
       SELECT key FROM valetkey.records WHERE expires_at <= $1
       ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
     )
     DELETE FROM valetkey.records USING due WHERE records.key = due.key`,
  ),

  ping: statement('ping', 'SELECT 1 FROM valetkey.records LIMIT 1'),
} as const;

/** @throws TypeError when it is no row of this layout. */
export function readRow(row: Readonly<Record<string, unknown>>): KeyedRecord {
  const { key, value, expires_at: expiresAt, groups } = row;
  if (!Buffer.isBuffer(key) || !Buffer.isBuffer(value) || !Array.isArray(groups))
    throw new TypeError('a row does not have the layout of the store');
  return {
    key: key.toString(),
    record: {
      value: new Uint8Array(value),
      ...(expiresAt === null ? {} : { expiresAtSeconds: Number(expiresAt) }),
      groups: groups.map(String),
    },
  };
}

/** Key, value, expiry and groups, as the statements take them. */
export function writeRow(key: string, { value, expiresAtSeconds, groups = [] }: DriverRecord): unknown[] {
  const names = [...new Set(groups)].map((group) => Buffer.from(group));
  return [Buffer.from(key), value, expiresAtSeconds ?? null, names];
}
