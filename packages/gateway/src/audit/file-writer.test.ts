import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createFileWriter, type FileWriter } from './file-writer.ts';

const writers: FileWriter[] = [];
afterEach(async () => {
  for (const writer of writers.splice(0)) await writer.close();
});

function open() {
  const path = join(mkdtempSync(join(tmpdir(), 'valetkey-writer-')), 'logs', 'audit.jsonl');
  const writer = createFileWriter(path);
  writers.push(writer);
  return { path, writer };
}

const textOf = (path: string) => readFileSync(path, 'utf8');

test('A25: what is appended stands in a private file, in order', async () => {
  const { path, writer } = open();
  for (const text of ['a\n', 'b\n', 'c\n']) await writer.append(text);
  expect(textOf(path)).toBe('a\nb\nc\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
});

test.each([
  ['rotated away', (path: string) => renameSync(path, `${path}.1`)],
  ['deleted', (path: string) => rmSync(path)],
  ['deleted with its folder', (path: string) => rmSync(dirname(path), { recursive: true })],
  [
    'replaced by another',
    (path: string) => {
      renameSync(path, `${path}.1`);
      appendFileSync(path, '');
    },
  ],
  ['cut to nothing', (path: string) => truncateSync(path)],
])('a file that was %s is written on where its path leads', async (_what, change) => {
  const { path, writer } = open();
  await writer.append('before\n');
  change(path);
  await writer.append('after\n');
  expect(textOf(path)).toBe('after\n');
});

test('after a write that failed the path is tried anew', async () => {
  const writer = createFileWriter('/dev/full');
  writers.push(writer);
  for (let count = 0; count < 2; count += 1)
    await expect(writer.append('a')).rejects.toMatchObject({ code: 'ENOSPC' });
});

test('closed, it can be used again', async () => {
  const { path, writer } = open();
  await writer.append('a');
  await writer.close();
  await writer.append('b');
  expect(textOf(path)).toBe('ab');
});
