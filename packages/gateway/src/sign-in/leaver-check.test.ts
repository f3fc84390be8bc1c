import { expect, test } from 'vitest';
import { err, ok } from '@valetkey/core/base/result';
import type { RenewalRefusal } from '../oauth/sign-ins.ts';
import { startLeaverCheck } from './leaver-check.ts';

function open(checkSeconds = 300) {
  const state = { nowSeconds: 1_000_000, asked: [] as string[], streaming: [] as string[] };
  const answers = new Map<string, RenewalRefusal>();
  /** When another replica has asked. */
  const elsewhere = new Map<string, number>();
  const check = startLeaverCheck({
    async recheck(sessionId, maxAgeSeconds) {
      const verifiedAtSeconds = elsewhere.get(sessionId);
      if (verifiedAtSeconds !== undefined && state.nowSeconds - verifiedAtSeconds < maxAgeSeconds)
        return ok(verifiedAtSeconds);
      state.asked.push(sessionId);
      const refusal = answers.get(sessionId);
      return refusal === undefined ? ok(state.nowSeconds) : err(refusal);
    },
    streaming: () => state.streaming,
    checkSeconds,
    clock: { nowMs: () => state.nowSeconds * 1000 },
    timer: () => () => {},
    log: { warn: () => {} },
  });
  return { state, answers, elsewhere, check };
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

test('A57: a token from the future is asked about at once: when Entra was asked for it, nobody here knows', async () => {
  const { state, check } = open();
  const ahead = state.nowSeconds + 600;
  expect(await check.check('one', ahead)).toBe(true);
  expect(state.asked).toEqual(['one']);
  // From now on this replica knows, although the token is from the future still.
  for (let elapsed = 0; elapsed < 299; elapsed += 23) {
    state.nowSeconds = 1_000_000 + elapsed;
    expect(check.check('one', ahead)).toBeUndefined();
  }
  state.nowSeconds = 1_000_300;
  expect(await check.check('one', ahead)).toBe(true);
  expect(state.asked).toEqual(['one', 'one']);
  expect(
    check.check('one', ahead + 300),
    'nor does the next token cost a question of its own',
  ).toBeUndefined();
});

test('A57: a second ahead is no future: ordinary clocks cost no question', () => {
  const { state, check } = open();
  expect(check.check('one', state.nowSeconds + 2)).toBeUndefined();
});

test('A57: what another replica has asked counts from when it asked: nobody stays in for the time of both', async () => {
  const { state, elsewhere, check } = open();
  void check.check('one', 1_000_000);
  elsewhere.set('one', 1_000_150);
  state.nowSeconds = 1_000_300;
  expect(await check.check('one', 1_000_000), 'asked there').toBe(true);
  expect(state.asked).toEqual([]);
  state.nowSeconds = 1_000_449;
  expect(check.check('one', 1_000_000)).toBeUndefined();
  state.nowSeconds = 1_000_450;
  expect(await check.check('one', 1_000_000)).toBe(true);
  expect(state.asked).toEqual(['one']);
});

test('A57: a clock that is set back makes nobody trusted for longer', async () => {
  const { state, answers, check } = open();
  expect(check.check('one', 1_000_000)).toBeUndefined();
  state.nowSeconds -= 600;
  expect(await check.check('one', 1_000_000)).toBe(true);
  expect(state.asked).toEqual(['one']);
  answers.set('one', 'unavailable');
  state.nowSeconds += 300;
  expect(await check.check('one', 1_000_000)).toBe(true);
  // Entra is to be left alone for a while, but not for the ten minutes that come again.
  state.nowSeconds -= 600;
  answers.set('one', 'ended');
  expect(await check.check('one', 1_000_000)).toBe(false);
});
