import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createDraw } from './draw.ts';

test('numbers from 0 to below 1, evenly, from few looks at the generator', () => {
  let looks = 0;
  const draw = createDraw((size) => {
    looks += 1;
    return randomBytes(size);
  });
  const numbers = Array.from({ length: 10_000 }, draw);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  const below = numbers.filter((number) => number < 0.25).length;
  expect(below).toBeGreaterThan(2200);
  expect(below).toBeLessThan(2800);
  expect(looks).toBe(10);
});
