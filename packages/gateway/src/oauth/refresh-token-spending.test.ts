import type { AdapterPayload } from 'oidc-provider';
import { expect, test } from 'vitest';
import { type Driver, StoreUnavailable } from '../store/driver.ts';
import type { Claim } from '../store/turns.ts';
import { createTestClock, openSealedStore } from '../session/sealed-store.suite.ts';
import { createSpending, inTurn, makeRefreshTokenGood } from './refresh-token-spending.ts';

/** Replicas as they stand to one refresh: who has the turn, and who had it before. */
async function open(consumedBy?: string, wrap?: (driver: Driver) => Driver) {
  const clock = createTestClock(1_800_000_000_000);
  const store = openSealedStore(clock, wrap);
  const tokens = store.collection<AdapterPayload & { turn?: { id: string; name: string } }>(
    'oauth.refresh-token',
  );
  const spending = createSpending(tokens, clock);
  await tokens.put('rt', {
    grantId: 'g',
    ...(consumedBy === undefined ? {} : { consumed: 1, turn: { id: 'request', name: consumedBy } }),
  });
  const state = { holder: '' };
  /** Turns of other requests, as they are found by this one. */
  const others = new Map<string, Claim<unknown>>();
  const turn = (name: string, before: readonly string[] = [], id = 'request') => {
    state.holder = name;
    return {
      id,
      name,
      before,
      isStillOurs: async () => state.holder === name,
      claimOther: async (other: string) => others.get(other),
    };
  };
  const find = async () => (await tokens.get('rt')) ?? {};
  const examine = async () => spending.examine('rt', await find());
  const isSpent = async () => (await find()).consumed !== undefined;
  return { store, spending, turn, others, find, examine, isSpent };
}

test('A18 A28: who lost the turn while it stood still spends nothing, and the one who has it does', async () => {
  const { store, spending, turn, isSpent } = await open();
  const stopped = turn('stopped');
  const next = turn('next', ['stopped']);
  await makeRefreshTokenGood(store, 'rt', next);
  expect(await inTurn(stopped, () => spending.spend('rt'))).toBe('lost');
  expect(await isSpent()).toBe(false);
  expect(await inTurn(next, () => spending.spend('rt'))).toBe('done');
  expect(await inTurn(stopped, () => spending.spend('rt')), 'no replay either').toBe('lost');
});

test('A18 A28: what a dead replica spent is spent again by the next one, once', async () => {
  const { store, spending, turn, examine, isSpent } = await open();
  const dead = turn('dead');
  await inTurn(dead, () => spending.spend('rt'));
  const next = turn('next', ['dead']);
  await makeRefreshTokenGood(store, 'rt', next);
  expect(await isSpent()).toBe(false);
  expect(await inTurn(next, () => spending.spend('rt'))).toBe('done');
  expect(await inTurn(dead, examine), 'not for the dead one to judge').toBeUndefined();
});

test('A28: a replica that died between its turn and the token is made up for too', async () => {
  const { store, spending, turn, isSpent } = await open();
  await inTurn(turn('first'), () => spending.spend('rt'));
  // `second` took the turn over and came no further.
  await makeRefreshTokenGood(store, 'rt', turn('third', ['first', 'second']));
  expect(await isSpent()).toBe(false);
});

test('A18: a token that another turn has spent is a replay, and a replica that dies over a replay does not mend it', async () => {
  const { store, spending, turn, examine, isSpent } = await open('long-ago');
  const replay = turn('replay');
  expect(await inTurn(replay, examine)).toMatchObject({ consumed: 1 });
  expect(await inTurn(replay, () => spending.spend('rt'))).toBe('spent');
  await makeRefreshTokenGood(store, 'rt', replay);
  expect(await isSpent()).toBe(true);
  const again = turn('again', ['replay']);
  await makeRefreshTokenGood(store, 'rt', again);
  expect(await isSpent()).toBe(true);
  expect(await inTurn(again, () => spending.spend('rt'))).toBe('spent');
});

test('A18 A28: a change that the store makes after it was given up takes no effect, since the token was written anew', async () => {
  const late: (() => Promise<boolean>)[] = [];
  const { store, spending, turn, isSpent } = await open(undefined, (driver) => ({
    ...driver,
    replace: async (...args) => {
      if (late.length > 0) return driver.replace(...args);
      late.push(() => driver.replace(...args));
      throw new StoreUnavailable('no answer in time');
    },
  }));
  const hasty = turn('hasty');
  await expect(inTurn(hasty, () => spending.spend('rt'))).rejects.toThrow(StoreUnavailable);
  await makeRefreshTokenGood(store, 'rt', hasty);
  expect(await late[0]?.()).toBe(false);
  expect(await isSpent()).toBe(false);
  expect(await inTurn(turn('next'), () => spending.spend('rt'))).toBe('done');
});

test('A28: a turn that was taken over and breaks off itself gives back what the dead one spent', async () => {
  const { store, spending, turn, isSpent } = await open();
  await inTurn(turn('dead'), () => spending.spend('rt'));
  await makeRefreshTokenGood(store, 'rt', turn('unlucky', ['dead']));
  expect(await isSpent()).toBe(false);
});

test('A28: what broke off is given back, and is good in the next turn, whose name is another', async () => {
  const { store, spending, turn } = await open();
  const broken = turn('broken');
  await inTurn(broken, () => spending.spend('rt'));
  await makeRefreshTokenGood(store, 'rt', broken);
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

function left(before: readonly string[], ended: string[]): Claim<unknown> {
  const nothing = { waitedFor: [], isStillOurs: async () => true, settle: async () => true };
  return {
    kind: 'ours',
    name: 'other',
    before,
    ...nothing,
    end: async () => void ended.push('other'),
    abandon() {},
  };
}

test('A18 A28: what a dead replica spent is good for a request that is another one too, as signed clients send', async () => {
  const { spending, turn, others, examine, isSpent } = await open('dead');
  const ended: string[] = [];
  others.set('request', left(['dead'], ended));
  const next = turn('next', [], 'another request');
  expect(await inTurn(next, examine)).not.toHaveProperty('consumed');
  expect(ended, 'and nobody waits for that turn again').toEqual(['other']);
  expect(await isSpent()).toBe(false);
  expect(await inTurn(next, () => spending.spend('rt'))).toBe('done');
});

test.each<[string, Claim<unknown> | undefined, number | undefined]>([
  ['was answered', { kind: 'settled', outcome: {} }, 1],
  ['is over, and its window closed', left([], []), 1],
  ['was left by others than the one that spent it', left(['somebody'], []), 1],
  ['is under way', undefined, undefined],
])('A18: another request whose turn %s mends nothing', async (_what, other, consumed) => {
  const { turn, others, examine, isSpent } = await open('first');
  if (other !== undefined) others.set('request', other);
  const examined = await inTurn(turn('second', [], 'another request'), examine);
  expect(examined?.consumed).toBe(consumed);
  expect(await isSpent()).toBe(true);
});
