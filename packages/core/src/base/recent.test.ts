import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRecent } from './recent.ts';

test('what was used lately is found, and what was used longest ago is forgotten', () => {
  const recent = createRecent<string, number>(4);
  for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) recent.set(key, index);
  expect(recent.get('a'), 'used again').toBe(0);
  recent.set('e', 4);
  recent.set('f', 5);
  expect(recent.get('a')).toBe(0);
  expect(recent.get('b')).toBeUndefined();
});

test('deleted and cleared is gone, also from the older half', () => {
  const recent = createRecent<string, number>(2);
  recent.set('a', 1);
  recent.set('b', 2);
  recent.delete('a');
  expect([recent.get('a'), recent.get('b')]).toEqual([undefined, 2]);
  recent.set('c', 3);
  recent.clear();
  expect([recent.get('b'), recent.get('c')]).toEqual([undefined, undefined]);
});

test('it never gives another value than the last one, and holds the last half of what was set', () => {
  const step = fc.tuple(fc.constantFrom('set', 'get', 'delete'), fc.integer({ min: 0, max: 12 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const recent = createRecent<number, number>(8);
      const truth = new Map<number, number>();
      const lately: number[] = [];
      for (const [index, [what, key]] of steps.entries()) {
        if (what === 'set') {
          recent.set(key, index);
          truth.set(key, index);
          lately.push(key);
        } else if (what === 'delete') {
          recent.delete(key);
          truth.delete(key);
        } else {
          const found = recent.get(key);
          if (found !== undefined || lately.slice(-4).includes(key)) expect(found).toBe(truth.get(key));
        }
      }
    }),
  );
});
