import { randomBytes } from 'node:crypto';
import { CLOCK_DIFFERENCE_SECONDS } from '@valetkey/core/base/clock';
import { expect, test } from 'vitest';
import type { Driver } from '../store/driver.ts';
import { StoreUnavailable } from '../store/driver.ts';
import { createTestClock, openSealedStore } from './sealed-store.suite.ts';
import type { Session } from './session.ts';
import { createSessions, REVOCATION_MARGIN_SECONDS, SESSION_LIFETIME_SECONDS } from './sessions.ts';

const accessTokenSeconds = 3600;
const session: Session = {
  id: 'session-1',
  tenantId: 't1',
  objectId: 'o1',
  displayName: 'Adele Vance',
  roles: ['Snippets.Reader'],
  groups: [],
  clientId: 'client-1',
  createdAtSeconds: 1_800_000_000,
  verifiedAtSeconds: 1_800_000_000,
};

async function open(wrap?: (driver: Driver) => Driver) {
  const clock = createTestClock(1_800_000_000_000);
  const store = openSealedStore(clock, wrap);
  const start = () => createSessions({ store, clock, random: randomBytes, accessTokenSeconds });
  return { clock, store, start, sessions: await start() };
}

test('D31: a session holds its person, and is found by id, by person and by client', async () => {
  const { sessions } = await open();
  await sessions.create(session);
  await sessions.create({ ...session, id: 'session-2', clientId: 'client-2' });
  await sessions.create({ ...session, id: 'session-3', objectId: 'o2' });
  expect(await sessions.find('session-1')).toEqual(session);
  expect((await sessions.listByPerson('t1.o1')).map((each) => each.id).toSorted()).toEqual([
    'session-1',
    'session-2',
  ]);
  expect((await sessions.listByClient('client-1')).map((each) => each.id).toSorted()).toEqual([
    'session-1',
    'session-3',
  ]);
  expect(await sessions.find('session-4')).toBeUndefined();
});

test('a second session of the same id is a fault, and the first one stays', async () => {
  const { sessions } = await open();
  await sessions.create(session);
  await expect(sessions.create({ ...session, objectId: 'thief' })).rejects.toThrow('taken');
  expect((await sessions.find('session-1'))?.objectId).toBe('o1');
});

test('a renewal changes roles but never the person or the client', async () => {
  const { sessions } = await open();
  await sessions.create(session);
  const updated = await sessions.update('session-1', (now) => ({ ...now, roles: ['Snippets.Writer'] }));
  expect(updated?.roles).toEqual(['Snippets.Writer']);
  await expect(sessions.update('session-1', (now) => ({ ...now, objectId: 'o2' }))).rejects.toThrow('never');
  expect(await sessions.find('session-1')).toEqual({ ...session, roles: ['Snippets.Writer'] });
  expect(await sessions.listByPerson('t1.o1')).toEqual([{ ...session, roles: ['Snippets.Writer'] }]);
});

test('A56: a revoked session is gone, refused without a store read, and cannot come back by an update', async () => {
  let reads = 0;
  const { sessions } = await open((driver) => ({
    ...driver,
    get: (key) => {
      reads += 1;
      return driver.get(key);
    },
  }));
  await sessions.create(session);
  reads = 0;
  expect(sessions.isRevoked('session-1')).toBe(false);
  await sessions.revoke('session-1');
  expect(sessions.isRevoked('session-1')).toBe(true);
  expect(reads).toBe(0);
  expect(await sessions.find('session-1')).toBeUndefined();
  expect(await sessions.update('session-1', (now) => now)).toBeUndefined();
  expect(await sessions.listByPerson('t1.o1')).toEqual([]);
});

test('the revocation is written before the session goes: a crash between leaves it revoked', async () => {
  const order: string[] = [];
  const { sessions, start } = await open((driver) => ({
    ...driver,
    put: (key, record) => {
      order.push(`put ${key.split(':')[0]}`);
      return driver.put(key, record);
    },
    delete: () => Promise.reject(new StoreUnavailable('gone')),
  }));
  await sessions.create(session);
  await expect(sessions.revoke('session-1')).rejects.toBeInstanceOf(StoreUnavailable);
  expect(order).toEqual(['put session.revoked', 'put session.feed']);
  expect(sessions.isRevoked('session-1')).toBe(true);
  expect((await start()).isRevoked('session-1')).toBe(true);
});

test('A57: a replica learns revocations at its start and by reload', async () => {
  const { sessions, start } = await open();
  const other = await start();
  await sessions.create(session);
  await sessions.revoke('session-1');
  expect(other.isRevoked('session-1')).toBe(false);
  await other.reload();
  expect(other.isRevoked('session-1')).toBe(true);
  expect((await start()).isRevoked('session-1')).toBe(true);
});

test('D22: a revocation outlives every access token of the session, and no longer', async () => {
  const { sessions, clock, start } = await open();
  await sessions.create(session);
  await sessions.revoke('session-1');
  clock.advance(accessTokenSeconds + REVOCATION_MARGIN_SECONDS - 1);
  expect(sessions.isRevoked('session-1')).toBe(true);
  expect((await start()).isRevoked('session-1')).toBe(true);
  clock.advance(1);
  expect(sessions.isRevoked('session-1')).toBe(false);
  expect((await start()).isRevoked('session-1')).toBe(false);
  expect(await sessions.find('session-1')).toBeUndefined();
});

const ahead = [0, CLOCK_DIFFERENCE_SECONDS];
const clocks = ahead.flatMap((issuer) =>
  ahead.flatMap((revoker) => ahead.map((verifier) => ({ issuer, revoker, verifier }))),
);

test.each(clocks)(
  'A56 A57: a revocation outlives the tokens of a replica that is $issuer s ahead, revoked at $revoker s, refused at $verifier s',
  async ({ issuer, revoker, verifier }) => {
    const base = createTestClock(1_800_000_000_000);
    const at = { aheadSeconds: 0 };
    const store = openSealedStore({ nowMs: () => base.nowMs() + at.aheadSeconds * 1000 });
    /** As the replica with this clock does it, store and all. */
    const as = <Value>(aheadSeconds: number, work: () => Value): Value => {
      at.aheadSeconds = aheadSeconds;
      return work();
    };
    const clock = { nowMs: () => base.nowMs() + at.aheadSeconds * 1000 };
    const start = () => createSessions({ store, clock, random: randomBytes, accessTokenSeconds });
    const other = await as(verifier, start);
    const own = await as(revoker, start);
    await as(revoker, () => own.revoke('session-1'));
    await as(verifier, () => other.reload());
    expect(as(verifier, () => other.isRevoked('session-1'))).toBe(true);
    // The last second in which the verifier would take the token for good.
    base.advance(accessTokenSeconds + issuer - verifier - 1);
    expect(as(verifier, () => other.isRevoked('session-1'))).toBe(true);
    expect((await as(verifier, start)).isRevoked('session-1')).toBe(true);
  },
);

test('D22: a session ends by itself', async () => {
  const { sessions, clock } = await open();
  await sessions.create(session);
  clock.advance(SESSION_LIFETIME_SECONDS);
  expect(await sessions.find('session-1')).toBeUndefined();
});
