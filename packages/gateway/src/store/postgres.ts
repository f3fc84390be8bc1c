/** The driver for PostgreSQL 13 and later. */
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { PostgresStoreConfig } from '../config/config.ts';
import type { Driver, DriverRecord } from './driver.ts';
import { migratePostgres } from './postgres-migrations.ts';
import { openPostgresPool, type PostgresPool } from './postgres-pool.ts';
import { readRow, statements, writeRow } from './postgres-statements.ts';

export interface PostgresOptions {
  readonly config: PostgresStoreConfig;
  /** Decides what has expired; the database's own clock is never asked. */
  readonly clock: Clock;
  /** The longest that a call may take. Default: five seconds. */
  readonly deadlineMs?: number;
}

const pageSize = 200;

/**
 * Opens the driver, after bringing the layout up to date where that is needed.
 *
 * @throws StoreUnavailable from here and from every operation; its message holds no address, key or value.
 */
export async function openPostgresDriver(options: PostgresOptions): Promise<Driver> {
  const { config, clock, deadlineMs } = options;
  const pool = openPostgresPool(config, deadlineMs);
  try {
    await pool.withClient(migratePostgres);
    const driver = createPostgresDriver(pool, clock);
    await driver.ping();
    return driver;
  } catch (fault) {
    await pool.close();
    throw fault;
  }
}

/** Only the layout. @throws StoreUnavailable */
export async function migratePostgresStore(
  config: PostgresStoreConfig,
): Promise<{ readonly from: number; readonly to: number }> {
  const pool = openPostgresPool(config);
  try {
    return await pool.withClient(migratePostgres);
  } finally {
    await pool.close();
  }
}

function createPostgresDriver(pool: PostgresPool, clock: Clock): Driver {
  const now = () => nowSeconds(clock);
  const isLive = ({ expiresAtSeconds }: DriverRecord) =>
    expiresAtSeconds === undefined || expiresAtSeconds > now();

  const take = async (key: string): Promise<DriverRecord | undefined> => {
    const [row] = (await pool.run('write', statements.take, [Buffer.from(key)])).rows;
    const record = row === undefined ? undefined : readRow(row).record;
    return record !== undefined && isLive(record) ? record : undefined;
  };

  return {
    async get(key) {
      const [row] = (await pool.run('read', statements.get, [Buffer.from(key), now()])).rows;
      return row === undefined ? undefined : readRow(row).record;
    },
    async put(key, record) {
      await pool.run('write', statements.put, writeRow(key, record));
    },
    async create(key, record) {
      return (await pool.run('write', statements.create, [...writeRow(key, record), now()])).rowCount === 1;
    },
    async replace(key, expected, record) {
      const values = [...writeRow(key, record), now(), expected];
      return (await pool.run('write', statements.replace, values)).rowCount === 1;
    },
    take,
    delete: async (key) => (await take(key)) !== undefined,

    async list(group) {
      return (await pool.run('read', statements.list, [Buffer.from(group), now()])).rows.map(readRow);
    },
    async deleteGroup(group) {
      const { rows } = await pool.run('write', statements.deleteGroup, [Buffer.from(group), now()]);
      return Number(rows[0]?.['live'] ?? 0);
    },
    async scan(cursor) {
      const after = Buffer.from(cursor ?? '', 'base64url');
      const { rows } = await pool.run('read', statements.scan, [after, now(), pageSize]);
      const last: unknown = rows.at(-1)?.['key'];
      const records = rows.map(readRow);
      return rows.length < pageSize || !Buffer.isBuffer(last)
        ? { records }
        : { records, next: last.toString('base64url') };
    },
    async sweep(limit) {
      return (await pool.run('write', statements.sweep, [now(), limit])).rowCount ?? 0;
    },
    async ping() {
      await pool.run('read', statements.ping, []);
    },
    close: () => pool.close(),
  };
}
