import { randomBytes } from 'node:crypto';
import { createKeyRing, parseKeyRing } from '@valetkey/core/crypto/key-ring';
import { expect, test } from 'vitest';
import { createStore } from '../store/sealed.ts';
import { openSqliteDriver } from '../store/sqlite.ts';
import { StoreUnavailable } from '../store/driver.ts';
import { createAdapterFactory, keepRegistration } from './adapter.ts';

async function openAdapters(registrationSeconds = 0) {
  const time = { aheadMs: 0 };
  const clock = { nowMs: () => Date.now() + time.aheadMs };
  const ring = parseKeyRing(createKeyRing(randomBytes, 0));
  if (!ring.ok) throw new Error(ring.error);
  const driver = openSqliteDriver({ path: ':memory:', clock });
  const store = createStore({ driver, keyRing: ring.value, random: randomBytes, clock });
  const ended: string[] = [];
  const adapterFor = createAdapterFactory({
    store,
    clock,
    registrationSeconds,
    onGrantEnded: async (grantId) => void ended.push(grantId),
  });
  return { adapterFor, ended, store, time };
}

test('D36 A47: of twenty requests that spend one code at once, one succeeds, and the grant ends', async () => {
  const { adapterFor, ended } = await openAdapters();
  const codes = adapterFor('AuthorizationCode');
  await codes.upsert('code-1', { grantId: 'grant-1', clientId: 'a' }, 60);
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, async () => codes.consume('code-1')));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(ended).toContain('grant-1');
});

test('a replay ends the grant of its own code and of no other', async () => {
  const { adapterFor, ended } = await openAdapters();
  const codes = adapterFor('AuthorizationCode');
  await codes.upsert('code-1', { grantId: 'grant-1' }, 60);
  await codes.upsert('code-2', { grantId: 'grant-2' }, 60);
  await codes.consume('code-1');
  await expect(codes.consume('code-1')).rejects.toThrow('invalid_grant');
  expect(ended).toEqual(['grant-1']);
  await codes.consume('code-2');
});

test('revoking by grant removes that grant alone', async () => {
  const { adapterFor } = await openAdapters();
  const tokens = adapterFor('RefreshToken');
  await tokens.upsert('rt-1', { grantId: 'grant-1' }, 60);
  await tokens.upsert('rt-2', { grantId: 'grant-2' }, 60);
  await tokens.revokeByGrantId('grant-1');
  expect(await tokens.find('rt-1')).toBeUndefined();
  expect(await tokens.find('rt-2')).toMatchObject({ grantId: 'grant-2' });
});

test('A31 D50: a client registration has no expiry', async () => {
  const { adapterFor } = await openAdapters();
  const clients = adapterFor('Client');
  await clients.upsert('client-1', { client_id: 'client-1' }, 0);
  expect(await clients.find('client-1')).toMatchObject({ client_id: 'client-1' });
});

test('D66: a client id of any form is one record of clients, and leads to nothing else', async () => {
  const { adapterFor, store } = await openAdapters();
  const clients = adapterFor('Client');
  await clients.upsert('a', { client_id: 'a' }, 0);
  const strange = [
    '../a',
    'a/../a',
    "a'; DELETE FROM records --",
    'a%2f..%2fa',
    'a\u0000',
    'a?x=1#y',
    '*',
    'a:b',
    '{a}',
  ];
  for (const id of strange) {
    expect(await clients.find(id)).toBeUndefined();
    await clients.upsert(id, { client_id: id }, 0);
  }
  for (const id of strange) expect(await clients.find(id)).toMatchObject({ client_id: id });
  await clients.destroy('*');
  expect(await clients.find('a')).toMatchObject({ client_id: 'a' });
  expect(await store.ping()).toBeUndefined();
});

test('A31 D22: registrations are kept for ever, or as long after their last token as the setting says', async () => {
  const year = 365 * 24 * 3600 * 1000;
  const kept = await openAdapters();
  await kept.adapterFor('Client').upsert('client-1', { client_id: 'client-1' }, 0);
  kept.time.aheadMs += 10 * year;
  expect(await kept.adapterFor('Client').find('client-1')).toMatchObject({ client_id: 'client-1' });

  const { adapterFor, store, time } = await openAdapters(3600);
  const clients = adapterFor('Client');
  await clients.upsert('client-1', { client_id: 'client-1' }, 0);
  for (let times = 0; times < 3; times += 1) {
    time.aheadMs += 3_500_000;
    await keepRegistration(store, 'client-1', 3600);
  }
  expect(await clients.find('client-1')).toMatchObject({ client_id: 'client-1' });
  time.aheadMs += 3_600_000;
  expect(await clients.find('client-1')).toBeUndefined();
});

test('a store that is away is told to clients as temporarily_unavailable', async () => {
  const adapter = createAdapterFactory({
    store: {
      collection: () => ({ get: () => Promise.reject(new StoreUnavailable('away')) }) as never,
      ping: async () => {},
      close: async () => {},
    },
    clock: { nowMs: () => 0 },
    onGrantEnded: async () => {},
  })('Client');
  await expect(adapter.find('x')).rejects.toMatchObject({ error: 'temporarily_unavailable' });
});
