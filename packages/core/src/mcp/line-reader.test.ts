import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readLines } from './line-reader.ts';

async function read(chunks: readonly (string | Uint8Array)[], maxBytes = 100): Promise<string[]> {
  const found: string[] = [];
  const stream = Readable.from(
    chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)),
  );
  for await (const line of readLines(stream, maxBytes))
    found.push(line.kind === 'line' ? line.bytes.toString() : '(too long)');
  return found;
}

test.each([
  ['one', ['a\n'], ['a']],
  ['several in a chunk', ['a\nb\nc\n'], ['a', 'b', 'c']],
  ['one in several chunks', ['a', 'b', 'c\n'], ['abc']],
  ['empty lines', ['\n\r\n\na\n'], ['a']],
  ['an end without a line break', ['a\nb'], ['a']],
  ['nothing', [], []],
])('%s', async (_name, chunks, lines) => {
  expect(await read(chunks)).toEqual(lines);
});

test.each([
  ['in one chunk', [`${'x'.repeat(11)}\nok\n`]],
  ['in many', [...Array.from({ length: 50 }, () => 'x'), '\nok\n']],
  ['at the very border', ['x'.repeat(10), 'x\nok\n']],
])('a line that is too long is told once and passed over: %s', async (_name, chunks) => {
  expect(await read(chunks, 10)).toEqual(['(too long)', 'ok']);
});

test('a line of exactly the bound is no longer than that', async () => {
  expect(await read(['x'.repeat(10), '\n'], 10)).toEqual(['x'.repeat(10)]);
});

test('however the bytes are cut, the lines are the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ minLength: 1, maxLength: 30 }).filter((text) => !/[\r\n]/.test(text))),
      fc.infiniteStream(fc.integer({ min: 1, max: 20 })),
      async (lines, sizes) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const size = sizes.next().value as number;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(await read(chunks, 1000)).toEqual(lines);
      },
    ),
  );
});
