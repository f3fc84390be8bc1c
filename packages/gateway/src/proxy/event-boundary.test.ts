import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEventBoundary } from './event-boundary.ts';

function isBetween(...chunks: string[]): boolean {
  const boundary = createEventBoundary();
  for (const chunk of chunks) boundary.push(Buffer.from(chunk));
  return boundary.isBetweenEvents();
}

test.each([
  ['nothing yet', [], true],
  ['a whole event', ['data: 1\n\n'], true],
  ['with CR LF', ['data: 1\r\n\r\n'], true],
  ['with CR', ['data: 1\r\r'], true],
  ['with line ends of two kinds', ['data: 1\n\r\n'], true],
  ['its end in single bytes', ['data: 1\r', '\n', '\r', '\n'], true],
  ['an event and a comment', ['data: 1\n\n: ping\n\n'], true],
  ['half an event', ['data: 1'], false],
  ['a line of an event', ['data: 1\n'], false],
  ['a line with CR LF', ['data: 1\r\n'], false],
  ['a CR that may be half of a line end', ['data: 1\n\r'], false],
  ['a whole event and a half', ['data: 1\n\nd'], false],
] as const)('%s', (_case, chunks, expected) => {
  expect(isBetween(...chunks)).toBe(expected);
});

test('however the bytes are cut, the answer is the same', () => {
  const stream = fc.string({ unit: fc.constantFrom('\r', '\n', 'a'), maxLength: 12 });
  fc.assert(
    fc.property(stream, fc.array(fc.integer({ min: 0, max: 12 })), (text, cuts) => {
      const at = [0, ...cuts.toSorted((one, other) => one - other), text.length];
      const chunks = at.slice(1).map((end, index) => text.slice(at[index], end));
      expect(isBetween(...chunks)).toBe(isBetween(text));
    }),
  );
});
