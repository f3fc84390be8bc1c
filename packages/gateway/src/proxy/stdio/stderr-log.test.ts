import { Readable } from 'node:stream';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { logStderr } from './stderr-log.ts';

test.each([
  ['an escape sequence', 'a\u001b[2Jb', 'a [2Jb'],
  ['a carriage return', 'a\rb', 'a b'],
  ['a change of direction', 'a\u202eb', 'a b'],
  ['an invisible sign', 'a\u200bb', 'a b'],
  ['a line separator', 'a\u2028b\u2029c', 'a b c'],
  ['a secret of its environment', 'key=s3cr3t-value!', 'key=[secret]!'],
])('CWE-117: %s of a backend is not acted on by whoever reads the log', async (_what, said, logged) => {
  const lines: string[] = [];
  await logStderr({
    stderr: Readable.from([Buffer.from(`${said}\n`)]),
    backend: 'a',
    childPid: 1,
    secrets: ['s3cr3t-value'],
    clock: { nowMs: () => 0 },
    log: pino({}, { write: (line: string) => void lines.push(line) }),
  });
  expect(lines.map((line) => (JSON.parse(line) as { text: string }).text)).toEqual([logged]);
});
