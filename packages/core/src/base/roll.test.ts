import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRoll } from './roll.ts';

test('it holds what was added and not crossed out, in order', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(20)), { maxLength: 100 });
  fc.assert(
    fc.property(steps, (all) => {
      const roll = createRoll<number>();
      const truth = new Set<number>();
      const crossOut = new Map<number, () => void>();
      for (const [index, [adds, which]] of all.entries()) {
        if (adds) {
          crossOut.set(index, roll.add(index));
          truth.add(index);
        } else {
          const key = [...crossOut.keys()][which % Math.max(1, crossOut.size)];
          // Twice, some of them: they stay in `crossOut`.
          if (key !== undefined) crossOut.get(key)?.();
          if (key !== undefined) truth.delete(key);
        }
        expect([...roll]).toEqual([...truth]);
        expect(roll.isEmpty).toBe(truth.size === 0);
      }
    }),
  );
});

test('crossing out while going through it disturbs nobody', () => {
  const roll = createRoll<() => void>();
  const seen: string[] = [];
  const crossOuts = ['a', 'b', 'c'].map((name) => roll.add(() => seen.push(name)));
  for (const each of roll) {
    each();
    for (const crossOut of crossOuts) crossOut();
  }
  expect(seen).toEqual(['a', 'b', 'c']);
  expect(roll.isEmpty).toBe(true);
});
