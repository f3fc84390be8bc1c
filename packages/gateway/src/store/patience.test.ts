import { expect, test, vi } from 'vitest';
import { createPatience } from './patience.ts';

const unsent = new Error('unsent');
const lost = new Error('lost');
const patienceOf = (more: { deadlineMs?: number; maxWaiting?: number } = {}) =>
  createPatience({
    engine: 'Test',
    isUnsent: (fault) => fault === unsent,
    isLost: (fault) => fault === lost,
    describe: (fault) => (fault instanceof Error ? fault.message : ''),
    ...more,
  });
const failing = (fault: unknown, times: number) => {
  const state = { calls: 0 };
  const work = async () => {
    state.calls += 1;
    if (state.calls <= times) throw fault;
    return 'done';
  };
  return { state, work };
};

test.each([
  ['read', unsent, 3],
  ['write', unsent, 3],
  ['read', lost, 3],
] as const)('a %s that was %s is tried again', async (kind, fault, calls) => {
  const { work, state } = failing(fault, 2);
  expect(await patienceOf().run(kind, work)).toBe('done');
  expect(state.calls).toBe(calls);
});

test.each([
  ['write', lost],
  ['read', new Error('wrong password')],
] as const)('a %s that failed with %s is not', async (kind, fault) => {
  const { work, state } = failing(fault, 1);
  await expect(patienceOf().run(kind, work)).rejects.toMatchObject({
    name: 'StoreUnavailable',
    message: `The Test store failed: ${fault.message}`,
  });
  expect(state.calls).toBe(1);
});

test('a store that stays away is StoreUnavailable before the deadline', async () => {
  const { work } = failing(unsent, Number.POSITIVE_INFINITY);
  const startedMs = performance.now();
  await expect(patienceOf({ deadlineMs: 300 }).run('write', work)).rejects.toMatchObject({
    name: 'StoreUnavailable',
  });
  expect(performance.now() - startedMs).toBeLessThan(300);
});

test('work that never ends is left at the deadline, and told so', async () => {
  const told = vi.fn<() => void>();
  const work = (signal: AbortSignal) =>
    new Promise<never>(() => {
      signal.addEventListener('abort', told);
    });
  await expect(patienceOf({ deadlineMs: 50 }).run('read', work)).rejects.toThrow(/no answer within 50 ms/);
  expect(told).toHaveBeenCalledOnce();
});

test('no crowd gathers in front of a store that is away', async () => {
  const patience = patienceOf({ deadlineMs: 1_000, maxWaiting: 2 });
  const { work } = failing(unsent, Number.POSITIVE_INFINITY);
  const startedMs = performance.now();
  const outcomes = Array.from({ length: 20 }, () =>
    patience.run('write', work).catch(() => performance.now() - startedMs),
  );
  const tookMs = (await Promise.all(outcomes)) as number[];
  expect(tookMs.filter((ms) => ms < 100).length).toBeGreaterThanOrEqual(18);
});
