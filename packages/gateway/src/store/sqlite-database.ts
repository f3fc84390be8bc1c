/** Opens the SQLite file of the store: private, durable, shared by several processes, of a known layout. */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreUnavailable } from './driver.ts';

const layoutVersion = 1;

/** How long a writer waits for another process's transaction; it blocks the event loop, hence short. */
const busyTimeoutMs = 2_000;

const layout = `
  CREATE TABLE IF NOT EXISTS records (
    key TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS records_by_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS record_groups (
    group_name TEXT NOT NULL,
    key TEXT NOT NULL REFERENCES records (key) ON DELETE CASCADE,
    PRIMARY KEY (group_name, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS record_groups_by_key ON record_groups (key);
  PRAGMA user_version = ${layoutVersion};
`;

/**
 * @param path a file, whose folder is made where it is missing, or `:memory:`.
 * @throws StoreUnavailable when the file cannot be opened, is no SQLite database, or has a newer layout.
 */
export function openSqliteDatabase(path: string): DatabaseSync {
  return guardSqlite(() => {
    if (path !== ':memory:') makePrivateFile(path);
    const database = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
    try {
      prepareDatabase(database);
      return database;
    } catch (fault) {
      database.close();
      throw fault;
    }
  });
}

/**
 * Runs a piece of SQLite work. Whatever goes wrong becomes `StoreUnavailable` with SQLite's fixed sentence for
 * its error code: messages and causes can quote SQL and paths, and this one may reach a log.
 */
export function guardSqlite<Value>(work: () => Value): Value {
  try {
    return work();
  } catch (fault) {
    if (fault instanceof StoreUnavailable) throw fault;
    throw new StoreUnavailable(`The SQLite store failed: ${describeFault(fault)}`);
  }
}

/** All or nothing. `IMMEDIATE` takes the write lock first, so that two readers never deadlock on upgrading. */
export function runTransaction<Value>(database: DatabaseSync, work: () => Value): Value {
  database.exec('BEGIN IMMEDIATE');
  try {
    const value = work();
    database.exec('COMMIT');
    return value;
  } catch (fault) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw fault;
  }
}

/** SQLite gives the journal files the mode of the database file, so this makes all three private. */
function makePrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
  try {
    chmodSync(path, 0o600);
  } catch {
    // Somebody else's file, or a volume without modes. Values are sealed and ids hashed, so it is no reason to stop.
  }
}

function prepareDatabase(database: DatabaseSync): void {
  // Switching to WAL ignores the busy timeout when two processes start at once, so the lock is taken by hand.
  retryWhileBusy(() => database.exec('PRAGMA journal_mode = WAL'));
  // FULL: a registration that was answered with 201 survives a power cut, not only a crash of the process.
  database.exec('PRAGMA synchronous = FULL');
  runTransaction(database, () => {
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > layoutVersion) {
      throw new StoreUnavailable(
        `The store file was written by a newer version (layout ${version}, this version knows ${layoutVersion})`,
      );
    }
    if (version < layoutVersion) database.exec(layout);
  });
}

function retryWhileBusy(work: () => void): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const pauseMs = 20;
  for (let waitedMs = 0; ; waitedMs += pauseMs) {
    try {
      work();
      return;
    } catch (fault) {
      if (waitedMs >= busyTimeoutMs || sqliteCode(fault) !== sqliteBusy) throw fault;
      Atomics.wait(pause, 0, 0, pauseMs);
    }
  }
}

const sqliteBusy = 5;

/** The primary result code: the low byte of SQLite's extended codes. */
function sqliteCode(fault: unknown): number | undefined {
  if (!(fault instanceof Error) || !('errcode' in fault) || typeof fault.errcode !== 'number')
    return undefined;
  return fault.errcode & 0xff;
}

function describeFault(fault: unknown): string {
  if (!(fault instanceof Error)) return 'unknown fault';
  const code = 'code' in fault && typeof fault.code === 'string' ? fault.code : fault.name;
  if (!('errstr' in fault) || typeof fault.errstr !== 'string') return code;
  return `${fault.errstr} (${code} ${String(sqliteCode(fault))})`;
}
