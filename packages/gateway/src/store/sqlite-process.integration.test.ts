/** The SQLite driver with real second processes: races between them, and death in the middle of writing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openSqliteDriver } from './sqlite.ts';

const clock = { nowMs: () => Date.now() };
const child = fileURLToPath(new URL('driver-process.suite.ts', import.meta.url));
const newPath = () => join(mkdtempSync(join(tmpdir(), 'valetkey-process-')), 'store.db');
const text = (value: string) => new TextEncoder().encode(value);
const read = (value: Uint8Array | undefined) => new TextDecoder().decode(value);

function start(path: string, job: string, count: number): ChildProcess {
  return spawn(
    process.execPath,
    ['--conditions=valetkey-source', child, `sqlite:${path}`, job, String(count)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
}

async function readLine(process: ChildProcess): Promise<unknown> {
  if (process.stdout === null) throw new Error('no output');
  for await (const line of createInterface(process.stdout)) return JSON.parse(line);
  throw new Error('the child ended without an answer');
}

test('A57 D22: each record is taken by exactly one of three processes', { timeout: 30_000 }, async () => {
  const path = newPath();
  const driver = openSqliteDriver({ path, clock });
  const count = 150;
  for (let index = 0; index < count; index += 1) await driver.put(`k${index}`, { value: text('v') });
  const answers = await Promise.all([1, 2, 3].map(() => readLine(start(path, 'take', count))));
  const taken = (answers as number[][]).flat();
  expect(taken.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
  await driver.close();
});

test('A57 D23: no compare-and-set of two processes is lost', { timeout: 30_000 }, async () => {
  const path = newPath();
  const driver = openSqliteDriver({ path, clock });
  await driver.put('counter', { value: text('0') });
  const answers = await Promise.all([1, 2].map(() => readLine(start(path, 'count', 100))));
  expect(answers).toEqual(['done', 'done']);
  expect(read((await driver.get('counter'))?.value)).toBe('200');
  await driver.close();
});

test('A31 D22 D49: what was acknowledged before SIGKILL is there, whole, after reopening', {
  timeout: 30_000,
}, async () => {
  const path = newPath();
  const writer = start(path, 'write-for-ever', 0);
  const acknowledged: number[] = [];
  if (writer.stdout === null) throw new Error('no output');
  for await (const line of createInterface(writer.stdout)) {
    acknowledged.push(Number(line));
    if (acknowledged.length === 40) writer.kill('SIGKILL');
  }
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
  expect(writer.signalCode).toBe('SIGKILL');

  const driver = openSqliteDriver({ path, clock });
  for (const index of acknowledged) expect(read((await driver.get(`k${index}`))?.value)).toBe(`v${index}`);
  for (const { key, record } of await driver.list('all'))
    expect(read(record.value)).toBe(key.replace('k', 'v'));
  expect((await driver.list('all')).length).toBeGreaterThanOrEqual(acknowledged.length);
  await driver.close();
});

test('A31 D49: records, expiry and groups survive closing and reopening', async () => {
  const path = newPath();
  const first = openSqliteDriver({ path, clock });
  const expiresAtSeconds = Math.floor(Date.now() / 1000) + 3 * 3600;
  await first.put('k', { value: text('v'), expiresAtSeconds, groups: ['g'] });
  await first.close();
  const later = { nowMs: () => Date.now() + 2 * 3600 * 1000 };
  const second = openSqliteDriver({ path, clock: later });
  expect((await second.list('g'))[0]?.record).toEqual({ value: text('v'), expiresAtSeconds, groups: ['g'] });
  await second.close();
});

test('D23: the store file and its journals are private', async () => {
  const path = newPath();
  writeFileSync(path, '', { mode: 0o644 });
  const driver = openSqliteDriver({ path, clock });
  await driver.put('k', { value: text('v') });
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    expect(statSync(file).mode & 0o777, file).toBe(0o600);
  }
  await driver.close();
});

test.each([
  [
    'a file that is no database',
    () => {
      const path = newPath();
      writeFileSync(
        path,
        'not a database, but long enough to have a header that can be looked at by SQLite'.repeat(9),
      );
      return path;
    },
  ],
  ['a folder in the place of the file', () => mkdtempSync(join(tmpdir(), 'valetkey-folder-'))],
])('%s is StoreUnavailable, without its path', (_name, makePath) => {
  const path = makePath();
  try {
    openSqliteDriver({ path, clock });
    expect.unreachable();
  } catch (fault) {
    expect(fault).toMatchObject({ name: 'StoreUnavailable' });
    expect(String(fault)).not.toContain(path);
  }
});

test('a store file of a newer version is refused', async () => {
  const path = newPath();
  const { DatabaseSync } = await import('node:sqlite');
  const newer = new DatabaseSync(path);
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  expect(() => openSqliteDriver({ path, clock })).toThrow(/newer version \(layout 99/);
});

test('a writer that another process holds up too long is StoreUnavailable, and later works again', {
  timeout: 20_000,
}, async () => {
  const path = newPath();
  const driver = openSqliteDriver({ path, clock });
  const { DatabaseSync } = await import('node:sqlite');
  const blocker = new DatabaseSync(path);
  blocker.exec('BEGIN IMMEDIATE');
  await expect(driver.put('k', { value: text('v') })).rejects.toMatchObject({
    name: 'StoreUnavailable',
    message: 'The SQLite store failed: database is locked (ERR_SQLITE_ERROR 5)',
  });
  expect(await driver.get('k')).toBeUndefined();
  blocker.exec('COMMIT');
  blocker.close();
  await driver.put('k', { value: text('v') });
  await driver.close();
});
