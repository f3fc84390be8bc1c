import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acquireFileLock } from './file-lock.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-lock-'));
  path = join(folder, 'lock');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const options = { waitMs: 5000, staleMs: 60_000 };
/** No process has this number: Linux counts to 4194304 at most. */
const deadPid = 4_194_305;
const owner = (pid: number, host = hostname()) => JSON.stringify({ pid, host, id: 'x' });

test('one at a time, and nothing is left behind', async () => {
  let inside = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      const held = await acquireFileLock(path, options);
      most = Math.max(most, ++inside);
      await new Promise(setImmediate);
      inside -= 1;
      await held?.release();
    }),
  );
  expect(most).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

test.each([
  ['of a process that died', owner(deadPid), 0],
  ['of an age that no lock has', owner(process.pid), 120],
  ['of another machine, old', owner(deadPid, 'elsewhere'), 120],
  ['of somebody who died before writing into it', '', 10],
])('a lock %s is taken over', async (_name, content, ageSeconds) => {
  await writeFile(path, content);
  const then = Date.now() / 1000 - ageSeconds;
  await utimes(path, then, then);
  const held = await acquireFileLock(path, { ...options, waitMs: 500 });
  expect(held?.hadToWait).toBe(true);
  await held?.release();
  expect(await readdir(folder)).toEqual([]);
});

test.each([
  ['of a process that lives', owner(process.pid)],
  ['of another machine', owner(deadPid, 'elsewhere')],
  ['that is just being written', ''],
])('a lock %s is respected', async (_name, content) => {
  await writeFile(path, content);
  expect(await acquireFileLock(path, { ...options, waitMs: 60 })).toBeUndefined();
});

test('a wait can be cancelled', async () => {
  await writeFile(path, owner(process.pid));
  const abort = new AbortController();
  const waiting = acquireFileLock(path, { ...options, signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow();
});
