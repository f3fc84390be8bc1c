import { expect, test } from 'vitest';
import { defaultRetryPolicy, findWaitMs, parseRetryAfter } from './retry.ts';

const least = () => new Uint8Array(4);
const most = () => new Uint8Array(4).fill(255);
const none = undefined;

test.each([
  [0, 250, 500],
  [1, 500, 1000],
  [2, 1000, 2000],
])('A26: after attempt %i the pause is between %i and %i ms, by chance', (attempt, shortest, longest) => {
  const at = (random: () => Uint8Array) =>
    findWaitMs(defaultRetryPolicy, { attempt, retryAfterSeconds: none, random });
  expect(at(least)).toBe(shortest);
  expect(at(most)).toBe(longest);
});

test('A26: the pauses have a cap, and the attempts an end', () => {
  const policy = { maxRepeats: 20, firstWaitMs: 500, maxWaitMs: 3000 };
  expect(findWaitMs(policy, { attempt: 19, retryAfterSeconds: none, random: most })).toBe(3000);
  expect(findWaitMs(policy, { attempt: 20, retryAfterSeconds: none, random: most })).toBeUndefined();
});

test('A26: a time that Graph names is kept to the second, or handed on where it is too long', () => {
  const moment = { attempt: 0, random: most };
  expect(findWaitMs(defaultRetryPolicy, { ...moment, retryAfterSeconds: 7 })).toBe(7000);
  expect(findWaitMs(defaultRetryPolicy, { ...moment, retryAfterSeconds: 0 })).toBe(0);
  expect(findWaitMs(defaultRetryPolicy, { ...moment, retryAfterSeconds: 31 })).toBeUndefined();
});

const clock = { nowMs: () => Date.parse('2026-11-20T10:00:00Z') };
test.each([
  ['5', 5],
  [' 0 ', 0],
  ['Fri, 20 Nov 2026 10:01:30 GMT', 90],
  ['Fri, 20 Nov 2026 09:00:00 GMT', 0],
  ['-1', none],
  ['3.5', none],
  ['soon', none],
  ['99999999999', none],
  [none, none],
])('A26: Retry-After %j means %j seconds', (header, seconds) => {
  expect(parseRetryAfter(header, clock)).toBe(seconds);
});
