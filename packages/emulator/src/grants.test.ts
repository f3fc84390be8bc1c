import { expect, test } from 'vitest';
import { createGrants, type IssuedToken } from './grants.ts';

test('a shelf is bounded, and what is in use stays while what nobody asks for goes', () => {
  const { issued } = createGrants();
  const record = {} as IssuedToken;
  const inUse = issued.add(record);
  const forgotten = issued.add(record);
  for (let made = 0; made < 5_000; made += 1) {
    issued.add(record);
    issued.find(inUse);
  }
  expect(issued.entries().length).toBeLessThanOrEqual(2_000);
  expect([issued.find(inUse), issued.find(forgotten)]).toEqual([record, undefined]);
});
