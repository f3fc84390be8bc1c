import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { onOneLine, parseForRewriting } from './faithful-json.ts';

test.each([
  ['an exact number beyond 2^53', '{"order":9007199254740993}'],
  ['a trailing zero', '{"price":1.0}'],
  ['an exponent', '[1e400,-0,1E5]'],
  ['a key that means something to JavaScript', '{"__proto__":{"a":1},"constructor":2}'],
  ['what needs escapes', String.raw`{"a":"\n\"\\"}`],
])('%s is written as it was read', (_case, text) => {
  const written = JSON.stringify(parseForRewriting(text));
  expect(JSON.parse(written)).toEqual(JSON.parse(text));
  for (const [digits] of text.matchAll(/-?\d[\d.eE+]*/g)) expect(written).toContain(digits);
});

test('any JSON means the same afterwards, and on one line', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(0, 2, '\t'), (json, indent) => {
      const text = JSON.stringify(JSON.parse(json), null, indent);
      expect(JSON.stringify(parseForRewriting(text))).toBe(JSON.stringify(JSON.parse(json)));
      expect(onOneLine(text)).not.toMatch(/[\r\n]/);
      expect(JSON.parse(onOneLine(text))).toEqual(JSON.parse(json));
    }),
  );
});
