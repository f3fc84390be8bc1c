import type { AdapterPayload } from 'oidc-provider';
import { expect, test } from 'vitest';
import { createTestClock, openSealedStore } from '../session/sealed-store.suite.ts';
import {
  createSpending,
  inTurn,
  takeOverRefreshToken,
  unspendRefreshToken,
} from './refresh-token-spending.ts';

/** Replicas as they stand to one refresh: who has the turn, and who had it before. */
async function open(consumedBy?: string) {
  const clock = createTestClock(1_800_000_000_000);
  const store = openSealedStore(clock);
  const tokens = store.collection<AdapterPayload & { turn?: string }>('oauth.refresh-token');
  const spending = createSpending(tokens, clock);
  await tokens.put('rt', {
    grantId: 'g',
    ...(consumedBy === undefined ? {} : { consumed: 1, turn: consumedBy }),
  });
  const state = { holder: '' };
  const turn = (name: string, before: readonly string[] = []) => {
    state.holder = name;
    return { name, before, isStillOurs: async () => state.holder === name };
  };
  const find = async () => (await tokens.get('rt')) ?? {};
  const isSpent = async () => (await find()).consumed !== undefined;
  return { store, spending, turn, find, isSpent };
}

test('A18 A28: who lost the turn while it stood still spends nothing, and the one who has it does', async () => {
  const { store, spending, turn, isSpent } = await open();
  const stopped = turn('stopped');
  const next = turn('next', ['stopped']);
  await takeOverRefreshToken(store, 'rt', next);
  expect(await inTurn(stopped, () => spending.spend('rt'))).toBe('lost');
  expect(await isSpent()).toBe(false);
  expect(await inTurn(next, () => spending.spend('rt'))).toBe('done');
  expect(await inTurn(stopped, () => spending.spend('rt')), 'no replay either').toBe('lost');
});

test('A18 A28: what a dead replica spent is spent again by the next one, once', async () => {
  const { store, spending, turn, find, isSpent } = await open();
  const dead = turn('dead');
  await inTurn(dead, () => spending.spend('rt'));
  const next = turn('next', ['dead']);
  await takeOverRefreshToken(store, 'rt', next);
  expect(await isSpent()).toBe(false);
  expect(await inTurn(next, () => spending.spend('rt'))).toBe('done');
  expect(await inTurn(dead, async () => spending.isLost(await find()))).toBe(true);
});

test('A28: a replica that died between its turn and the token is made up for too', async () => {
  const { store, spending, turn, isSpent } = await open();
  await inTurn(turn('first'), () => spending.spend('rt'));
  // `second` took the turn over and came no further.
  await takeOverRefreshToken(store, 'rt', turn('third', ['first', 'second']));
  expect(await isSpent()).toBe(false);
});

test('A18: a token that another turn has spent is a replay, and a replica that dies over a replay does not mend it', async () => {
  const { store, spending, turn, find, isSpent } = await open('long-ago');
  const replay = turn('replay');
  expect(await inTurn(replay, async () => spending.isLost(await find()))).toBe(false);
  expect(await inTurn(replay, () => spending.spend('rt'))).toBe('spent');
  await unspendRefreshToken(store, 'rt', replay);
  expect(await isSpent()).toBe(true);
  const again = turn('again', ['replay']);
  await takeOverRefreshToken(store, 'rt', again);
  expect(await isSpent()).toBe(true);
  expect(await inTurn(again, () => spending.spend('rt'))).toBe('spent');
});

test('A28: what broke off is given back, and is good in the next turn, whose name is another', async () => {
  const { store, spending, turn } = await open();
  const broken = turn('broken');
  await inTurn(broken, () => spending.spend('rt'));
  await unspendRefreshToken(store, 'rt', broken);
  expect(await inTurn(turn('next'), () => spending.spend('rt'))).toBe('done');
});

test('A18: without turns a token is spent once, and never mended', async () => {
  const { spending, find } = await open();
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => spending.spend('rt')));
  expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === 'spent')).toHaveLength(19);
  expect(await find()).not.toHaveProperty('turn');
  expect(await spending.spend('other')).toBe('unknown');
});
