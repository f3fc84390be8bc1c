import { expect, test } from 'vitest';
import { createDerived } from './derived.ts';

test('of what is frozen it is made once, of anything else each time', () => {
  let made = 0;
  const count = createDerived((list: readonly string[]) => `${(made += 1)} of ${list.length}`);
  const frozen = Object.freeze(['a', 'b']);
  expect([count(frozen), count(frozen)]).toEqual(['1 of 2', '1 of 2']);
  const open = ['a'];
  expect(count(open)).toBe('2 of 1');
  open.push('b', 'c');
  expect(count(open)).toBe('3 of 3');
});
