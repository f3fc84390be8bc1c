import { expect, test } from 'vitest';
import type { RenewalRefusal } from '../oauth/provider.ts';
import { startLeaverCheck } from './leaver-check.ts';

function open(checkSeconds = 300) {
  const state = { nowSeconds: 1_000_000, asked: [] as string[], streaming: [] as string[] };
  const answers = new Map<string, RenewalRefusal>();
  const check = startLeaverCheck({
    async recheck(sessionId) {
      state.asked.push(sessionId);
      return answers.get(sessionId);
    },
    streaming: () => state.streaming,
    checkSeconds,
    clock: { nowMs: () => state.nowSeconds * 1000 },
    timer: () => () => {},
    log: { warn: () => {} },
  });
  return { state, answers, check };
}

test('A57: a session is asked about when its time is up, and once for calls at the same moment', async () => {
  const { state, check } = open();
  expect(check.check('one', state.nowSeconds)).toBeUndefined();
  state.nowSeconds += 299;
  expect(check.check('one', 1_000_000)).toBeUndefined();
  state.nowSeconds += 1;
  const answers = await Promise.all([check.check('one', 1_000_000), check.check('one', 1_000_000)]);
  expect(answers).toEqual([true, true]);
  expect(state.asked).toEqual(['one']);
  expect(check.check('one', 1_000_000)).toBeUndefined();
});

test('A57: a session in use is asked about in the background, so that no call ever waits', async () => {
  const { state, check } = open();
  for (let elapsed = 0; elapsed < 3000; elapsed += 60) {
    expect(check.check('one', 1_000_000)).toBeUndefined();
    state.nowSeconds += 60;
    await check.round();
  }
  expect(state.asked.length).toBeGreaterThanOrEqual(10);
  expect(state.asked.length).toBeLessThanOrEqual(20);
});

test('A57: one that has ended is refused, and is asked about no more', async () => {
  const { state, answers, check } = open();
  answers.set('one', 'ended');
  void check.check('one', 1_000_000);
  state.nowSeconds += 300;
  expect(await check.check('one', 1_000_000)).toBe(false);
  state.asked = [];
  await check.round();
  expect(state.asked).toEqual([]);
});

test('A57: while Entra is away the last answer counts, and it is asked again soon, not at every call', async () => {
  const { state, answers, check } = open();
  answers.set('one', 'unavailable');
  void check.check('one', 1_000_000);
  state.nowSeconds += 300;
  expect(await check.check('one', 1_000_000)).toBe(true);
  expect(check.check('one', 1_000_000)).toBeUndefined();
  state.nowSeconds += 15;
  answers.set('one', 'ended');
  expect(await check.check('one', 1_000_000)).toBe(false);
});

test('A57: an idle session is left alone; one with an open stream is not idle', async () => {
  const { state, check } = open();
  void check.check('idle', 1_000_000);
  state.streaming = ['streaming'];
  for (let round = 0; round < 10; round += 1) {
    await check.round();
    state.nowSeconds += 60;
  }
  expect(state.asked.filter((id) => id === 'idle').length).toBeLessThanOrEqual(2);
  expect(state.asked.filter((id) => id === 'streaming').length).toBeGreaterThanOrEqual(2);
});

test('A57: a refreshed token shows that Entra was asked; 0 asks never', () => {
  const { state, check } = open();
  void check.check('one', 1_000_000);
  state.nowSeconds += 400;
  expect(check.check('one', state.nowSeconds - 10)).toBeUndefined();
  const off = open(0);
  off.state.nowSeconds += 100_000;
  expect(off.check.check('one', 1_000_000)).toBeUndefined();
});
