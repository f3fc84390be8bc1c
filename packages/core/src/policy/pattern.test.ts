import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareSpecificity, isPattern, matchesPattern, overlaps, parsePattern } from './pattern.ts';

const matches = (pattern: string, name: string) => matchesPattern(parsePattern(pattern), name);

test.each([
  ['delete_*', 'delete_file'],
  ['delete_*', 'delete_'],
  ['*', ''],
  ['*', 'a/b'],
  ['*_file', 'delete_file'],
  ['a*b', 'ab'],
  ['a*b*c', 'a-b-c'],
  ['*a*a*', 'aa'],
  ['file:///projects/*', 'file:///projects/a/b'],
  ['a.c*', 'a.c'],
  ['(a+)+*', '(a+)+'],
])('A24: %s fits %j', (pattern, name) => {
  expect(matches(pattern, name)).toBe(true);
});

test.each([
  ['delete_*', 'Delete_file'],
  ['delete_*', 'xdelete_file'],
  ['*_file', 'delete_file2'],
  ['a*a', 'a'],
  ['ab*ba', 'aba'],
  ['a*b*c', 'a-c-b'],
  ['*aa*', 'a'],
  ['a.c*', 'abc'],
  ['[ab]*', 'a'],
  ['file:///projects/*', 'file:///projects'],
])('A24: %s does not fit %j', (pattern, name) => {
  expect(matches(pattern, name)).toBe(false);
});

/** Slow and plain: what a pattern is said to mean. */
function meansMatch(text: string, name: string): boolean {
  if (text === '') return name === '';
  const rest = text.slice(1);
  if (!text.startsWith('*')) return name[0] === text[0] && meansMatch(rest, name.slice(1));
  return meansMatch(rest, name) || (name !== '' && meansMatch(text, name.slice(1)));
}

const letters = (max: number, alphabet: string) =>
  fc.string({ unit: fc.constantFrom(...alphabet.split('')), maxLength: max });
const pattern = letters(6, 'ab*').filter((text) => isPattern(text) && !text.includes('**'));

test('A24: matching is what the pattern means', () => {
  fc.assert(
    fc.property(pattern, letters(8, 'ab'), (text, name) => {
      expect(matches(text, name)).toBe(meansMatch(text, name));
    }),
    { numRuns: 2000 },
  );
});

const names = ['', 'a', 'b'].flatMap((x) =>
  ['', 'a', 'b'].flatMap((y) => ['', 'a', 'b'].map((z) => x + y + z)),
);

test('A24: two patterns overlap if, and only if, some name fits both', () => {
  fc.assert(
    fc.property(pattern, pattern, (one, other) => {
      const [a, b] = [parsePattern(one), parsePattern(other)];
      expect(overlaps(a, b)).toBe(overlaps(b, a));
      const found = [...names, ...joined(one, other)].find(
        (name) => matches(one, name) && matches(other, name),
      );
      if (found !== undefined) expect(overlaps(a, b)).toBe(true);
      if (overlaps(a, b))
        expect(joined(one, other).some((name) => matches(one, name) && matches(other, name))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

/** The longer beginning, everything in the middle of both, the longer end. */
function joined(one: string, other: string): string[] {
  const [a, b] = [one.split('*'), other.split('*')];
  const longer = (x = '', y = '') => (x.length > y.length ? x : y);
  return [[longer(a[0], b[0]), ...a.slice(1, -1), ...b.slice(1, -1), longer(a.at(-1), b.at(-1))].join('')];
}

test('A24: a pattern that fits less is never the less specific one', () => {
  fc.assert(
    fc.property(pattern, pattern, (one, other) => {
      fc.pre(one !== other && matches(other, one));
      // Everything that `one` makes fits `other`, so `one` decides where both fit.
      expect(compareSpecificity(parsePattern(one), parsePattern(other))).toBeLessThan(0);
    }),
    { numRuns: 2000 },
  );
});

test('A22: no pattern makes matching slow: the time grows with the name, not faster', () => {
  const greedy = parsePattern(`*${'a*'.repeat(60)}b`);
  const timeOf = (length: number) => {
    const name = 'a'.repeat(length);
    const startedMs = performance.now();
    for (let round = 0; round < 200; round += 1) matchesPattern(greedy, name);
    return performance.now() - startedMs;
  };
  timeOf(8000);
  expect(timeOf(8000), 'a backtracking matcher would not come back').toBeLessThan(500);
});
