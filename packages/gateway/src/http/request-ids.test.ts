import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createRequestIds } from './request-ids.ts';

test('ids are 128 random bits each, none twice, over several draws', () => {
  let draws = 0;
  const next = createRequestIds((size) => {
    draws += 1;
    return randomBytes(size);
  });
  const ids = Array.from({ length: 1000 }, next);
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[\w-]{22}$/);
  expect(draws).toBe(4);
});
