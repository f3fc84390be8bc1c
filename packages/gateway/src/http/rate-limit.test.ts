import { expect, test } from 'vitest';
import { createRateLimiter, type RateLimits } from './rate-limit.ts';

const rule = { requests: 3, windowSeconds: 30 };
const limits: RateLimits = { register: rule, authorize: rule, token: rule, consent: rule };

function setUp(maxKeys?: number) {
  const time = { nowMs: 1_000_000 };
  const limiter = createRateLimiter(limits, { nowMs: () => time.nowMs }, maxKeys);
  return { time, limiter };
}

test('A30: a whole window at once, then one per step, with the wait in whole seconds', () => {
  const { time, limiter } = setUp();
  const check = () => limiter.check('token', 'ip');
  expect([check().ok, check().ok, check().ok]).toEqual([true, true, true]);
  expect(check()).toEqual({ ok: false, error: { retryAfterSeconds: 10 } });
  time.nowMs += 9_000;
  expect(check()).toEqual({ ok: false, error: { retryAfterSeconds: 1 } });
  time.nowMs += 1_000;
  expect(check().ok).toBe(true);
  expect(check().ok).toBe(false);
});

test('A30: limits and keys do not share a budget', () => {
  const { limiter } = setUp();
  for (let i = 0; i < 4; i += 1) limiter.check('token', 'a');
  expect(limiter.check('token', 'a').ok).toBe(false);
  expect(limiter.check('token', 'b').ok).toBe(true);
  expect(limiter.check('register', 'a').ok).toBe(true);
});

test('a refused request costs nothing: hammering does not prolong the wait', () => {
  const { time, limiter } = setUp();
  for (let i = 0; i < 500; i += 1) limiter.check('token', 'a');
  time.nowMs += 10_000;
  expect(limiter.check('token', 'a').ok).toBe(true);
});

test('uneven steps still allow exactly the stated number', () => {
  const seven = { requests: 7, windowSeconds: 60 };
  const limiter = createRateLimiter({ ...limits, token: seven }, { nowMs: () => 1_763_000_000_123 });
  const outcomes = Array.from({ length: 9 }, () => limiter.check('token', 'a').ok);
  expect(outcomes.filter(Boolean)).toHaveLength(7);
});

test('a clock set back locks nobody out', () => {
  const { time, limiter } = setUp();
  for (let i = 0; i < 3; i += 1) limiter.check('token', 'a');
  time.nowMs -= 900_000;
  expect([1, 2, 3].map(() => limiter.check('token', 'a').ok)).toEqual([true, true, true]);
  expect(limiter.check('token', 'a')).toEqual({ ok: false, error: { retryAfterSeconds: 10 } });
});

test('memory is bounded: the key idle longest is forgotten first', () => {
  const { limiter } = setUp(2);
  for (const key of ['a', 'a', 'a', 'b', 'b', 'b', 'a']) limiter.check('token', key);
  limiter.check('token', 'c');
  expect(limiter.check('token', 'b').ok).toBe(false);
  expect(limiter.check('token', 'a').ok).toBe(true);
});
