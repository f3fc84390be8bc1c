/** The embedded driver: one SQLite file, safe for several processes of one machine. */
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { Driver, DriverRecord } from './driver.ts';
import { guardSqlite, openSqliteDatabase, runTransaction } from './sqlite-database.ts';
import { prepareStatements, readRow } from './sqlite-statements.ts';

export interface SqliteOptions {
  /** The file, or `:memory:` for a store that ends with the process. */
  readonly path: string;
  /** Decides what has expired; the database's own clock is never asked. */
  readonly clock: Clock;
}

const pageSize = 200;

/**
 * SQLite answers within the call, so each operation is one step for this process; transactions make it one step
 * for other processes too.
 *
 * @throws StoreUnavailable from here and from every operation; its message holds no key and no value.
 */
export function openSqliteDriver(options: SqliteOptions): Driver {
  const database = openSqliteDatabase(options.path);
  const sql = guardSqlite(() => prepareStatements(database));
  const now = () => nowSeconds(options.clock);

  const write = async <Value>(work: () => Value): Promise<Value> =>
    guardSqlite(() => runTransaction(database, work));

  const setGroups = (key: string, record: DriverRecord) => {
    sql.dropGroups.run(key);
    for (const group of new Set(record.groups)) sql.addGroup.run(group, key);
  };
  const findLive = (key: string) => {
    const row = sql.get.get(key, now());
    return row === undefined ? undefined : readRow(row).record;
  };

  return {
    get: (key) => read(() => findLive(key)),

    put: (key, record) =>
      write(() => {
        sql.put.run(key, record.value, record.expiresAtSeconds ?? null);
        setGroups(key, record);
      }),

    create: (key, record) =>
      write(() => {
        sql.deleteExpired.run(key, now());
        const created = sql.create.run(key, record.value, record.expiresAtSeconds ?? null).changes > 0;
        if (created) setGroups(key, record);
        return created;
      }),

    replace: (key, expected, record) =>
      write(() => {
        const expiresAt = record.expiresAtSeconds ?? null;
        const replaced = sql.replace.run(record.value, expiresAt, key, expected, now()).changes > 0;
        if (replaced) setGroups(key, record);
        return replaced;
      }),

    take: (key) =>
      write(() => {
        const record = findLive(key);
        sql.delete.run(key);
        return record;
      }),

    delete: (key) =>
      write(() => {
        const existed = findLive(key) !== undefined;
        sql.delete.run(key);
        return existed;
      }),

    list: (group) => read(() => sql.list.all(group, now()).map(readRow)),

    deleteGroup: (group) =>
      write(() => {
        const live = Number(sql.countGroup.get(group, now())?.['live']);
        sql.deleteGroup.run(group);
        return live;
      }),

    sweep: (limit) => write(() => Number(sql.sweep.run(now(), limit).changes)),

    scan: (cursor) =>
      read(() => {
        const records = sql.scan.all(cursor ?? '', now(), pageSize).map(readRow);
        const next = records.at(-1)?.key;
        return records.length < pageSize || next === undefined ? { records } : { records, next };
      }),

    ping: () => read(() => void sql.ping.get()),

    close: async () => {
      if (database.isOpen) guardSqlite(() => database.close());
    },
  };
}

/** `async`, so that a fault is a rejection and never an exception at the call. */
async function read<Value>(work: () => Value): Promise<Value> {
  return guardSqlite(work);
}
