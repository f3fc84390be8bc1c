import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Driver } from '../store/driver.ts';
import { startRevocationFeed } from './revocation-feed.ts';
import { createRevocations, type Mark, rightsOf } from './revocations.ts';
import { createTestClock, openSealedStore } from './sealed-store.suite.ts';

function open(wrap?: (driver: Driver) => Driver) {
  const clock = createTestClock(1_800_000_000_000);
  const store = openSealedStore(clock, wrap);
  const replica = () => createRevocations({ store, clock, random: randomBytes, lifetimeSeconds: 3900 });
  return { clock, one: replica(), two: replica() };
}

test('A56: the other replica learns of it with its next look, and tells its listeners once', async () => {
  const { one, two } = open();
  const heard: Mark[] = [];
  two.onMark((mark) => heard.push(mark));
  await one.revoke('s1');
  expect([one.isRevoked('s1'), two.isRevoked('s1')]).toEqual([true, false]);
  await two.reload();
  await two.reload();
  expect(two.isRevoked('s1')).toBe(true);
  expect(heard.map(({ sessionId }) => sessionId)).toEqual(['s1']);
});

test('A56: a look costs one read while nothing is new', async () => {
  const reads = { get: 0, list: 0 };
  const { clock, one } = open((driver) => ({
    ...driver,
    get: (key) => {
      reads.get += 1;
      return driver.get(key);
    },
    list: (group) => {
      reads.list += 1;
      return driver.list(group);
    },
  }));
  await one.reload();
  for (let look = 0; look < 20; look += 1) {
    clock.advance(0.5);
    await one.reload();
  }
  expect(reads).toEqual({ get: 21, list: 1 });
});

test('A57: tokens with other rights are outdated, those with the new ones are not; an end stays an end', async () => {
  const { one, two } = open();
  const reader = rightsOf({ roles: ['Reader'] });
  const writer = rightsOf({ roles: ['Writer', 'Reader'], groups: [] });
  expect(writer).toBe(rightsOf({ roles: ['Reader', 'Writer'] }));
  await one.changeRights('s1', writer);
  await two.reload();
  for (const replica of [one, two]) {
    expect([replica.isOutdated('s1', () => reader), replica.isOutdated('s1', () => writer)]).toEqual([
      true,
      false,
    ]);
    expect(replica.isRevoked('s1')).toBe(false);
  }
  await one.changeRights('s1', reader);
  await two.reload();
  expect(two.isOutdated('s1', () => reader)).toBe(false);
  await two.revoke('s1');
  await one.reload();
  await one.changeRights('s1', writer);
  expect([one.isRevoked('s1'), two.isRevoked('s1')]).toEqual([true, true]);
});

test('A56: a mark is forgotten when no token can need it', async () => {
  const { clock, one } = open();
  await one.revoke('s1');
  clock.advance(3900);
  expect(one.isRevoked('s1')).toBe(false);
});

test('A56: the feed is blind when the store was away for as long as the setting says, and sees again after one look', async () => {
  const state = { nowMs: 0, isDown: false };
  const ticks: (() => void)[] = [];
  const feed = startRevocationFeed({
    reload: async () => {
      if (state.isDown) throw new Error('down');
    },
    timer: (work) => {
      ticks.push(work);
      return () => {};
    },
    monotonicMs: () => state.nowMs,
    outageSeconds: 300,
    log: { warn: () => {}, info: () => {} },
  });
  const look = async (afterMs: number) => {
    state.nowMs += afterMs;
    for (const tick of ticks) tick();
    await new Promise((resolve) => setImmediate(resolve));
  };
  state.isDown = true;
  await look(299_000);
  expect(feed.isBlind()).toBe(false);
  await look(1_001);
  expect(feed.isBlind()).toBe(true);
  state.isDown = false;
  await look(500);
  expect(feed.isBlind()).toBe(false);
  await feed.close();
});
