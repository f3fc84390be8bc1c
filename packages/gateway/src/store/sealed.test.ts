import { randomBytes } from 'node:crypto';
import { addKey, createKeyRing, type KeyRing, parseKeyRing } from '@valetkey/core/crypto/key-ring';
import { expect, test } from 'vitest';
import type { Driver } from './driver.ts';
import { createMovableClock } from './driver.suite.ts';
import { createStore } from './sealed.ts';
import { openSqliteDriver } from './sqlite.ts';

interface Thing {
  readonly owner: string;
  readonly count: number;
}

const ringFile = createKeyRing(randomBytes, 1_750_000_000);
const openRing = (file: unknown): KeyRing => {
  const ring = parseKeyRing(file);
  if (!ring.ok) throw new Error(ring.error);
  return ring.value;
};

/** What the driver is given, so that a test can look at it as a thief of the disk would. */
function openWatched() {
  const clock = createMovableClock();
  const inner = openSqliteDriver({ path: ':memory:', clock });
  const seen: { key: string; value: Uint8Array; groups: readonly string[] }[] = [];
  const note = (key: string, record: Parameters<Driver['put']>[1]) => {
    seen.push({ key, value: record.value, groups: record.groups ?? [] });
  };
  const driver: Driver = {
    ...inner,
    put: (key, record) => {
      note(key, record);
      return inner.put(key, record);
    },
    create: (key, record) => {
      note(key, record);
      return inner.create(key, record);
    },
  };
  const storeWith = (keyRing: KeyRing) => createStore({ driver, keyRing, random: randomBytes, clock });
  const store = storeWith(openRing(ringFile));
  return { clock, driver, store, storeWith, seen, things: store.collection<Thing>('test.thing') };
}

test('values come back as they were, by id and by group, within their collection', async () => {
  const { store, things } = openWatched();
  await things.put('a', { owner: 'Ünal', count: 1 }, { groups: ['mine'] });
  expect(await things.create('a', { owner: 'x', count: 9 })).toBe(false);
  expect(await things.get('a')).toEqual({ owner: 'Ünal', count: 1 });
  expect(await things.list('mine')).toEqual([{ owner: 'Ünal', count: 1 }]);
  expect(await store.collection<Thing>('test.thing').take('a')).toEqual({ owner: 'Ünal', count: 1 });
  expect(await things.get('a')).toBeUndefined();
});

test('D64: an id or a group of one collection is never found in another', async () => {
  const { store, things } = openWatched();
  const other = store.collection<Thing>('test.other');
  await things.put('same', { owner: 'a', count: 1 }, { groups: ['g'] });
  expect(await other.get('same')).toBeUndefined();
  expect(await other.list('g')).toEqual([]);
  expect(await other.deleteGroup('g')).toBe(0);
  expect(await things.deleteGroup('g')).toBe(1);
});

test('D22 D41: neither id, group nor value reaches the driver, and equal values look different', async () => {
  const { things, seen } = openWatched();
  await things.put('refresh-token-1', { owner: 'Lidia', count: 1 }, { groups: ['grant-7'] });
  await things.put('refresh-token-2', { owner: 'Lidia', count: 1 }, { groups: ['grant-7'] });
  const text = seen.map(
    ({ key, value, groups }) => `${key} ${Buffer.from(value).toString('latin1')} ${groups.join()}`,
  );
  for (const word of ['refresh-token', 'Lidia', 'owner', 'grant-7']) expect(text.join()).not.toContain(word);
  expect(seen[0]?.key).toMatch(/^test\.thing:[0-9a-f]{64}$/);
  expect(seen[0]?.value).not.toEqual(seen[1]?.value);
});

test('D64: a sealed record moved to another id or collection does not open', async () => {
  const { driver, store, things, seen } = openWatched();
  await things.put('attacker', { owner: 'attacker', count: 1 });
  await things.put('victim', { owner: 'victim', count: 1 });
  await store.collection<Thing>('test.other').put('victim', { owner: 'other', count: 1 });
  const [attacker, victim, other] = seen;
  if (attacker === undefined || victim === undefined || other === undefined) throw new Error('not written');
  await driver.put(victim.key, { value: attacker.value });
  await expect(things.get('victim')).rejects.toMatchObject({ name: 'StoreDamaged', reason: 'forged' });
  await driver.put(victim.key, { value: other.value });
  await expect(things.get('victim')).rejects.toMatchObject({ name: 'StoreDamaged', reason: 'forged' });
});

test.each([
  ['no byte', () => new Uint8Array()],
  ['plain JSON', () => new TextEncoder().encode('{"owner":"x","count":1}')],
  ['a cut record', (sealed: Uint8Array) => sealed.subarray(0, -1)],
  [
    'a changed byte',
    (sealed: Uint8Array) => sealed.map((byte, at) => (at === sealed.length - 20 ? byte ^ 1 : byte)),
  ],
])('D41: %s in the place of a record is damage, and the message shows no content', async (_name, forge) => {
  const { driver, things, seen } = openWatched();
  await things.put('id-1', { owner: 'Lidia', count: 1 }, { groups: ['g'] });
  const { key, value } = seen[0] ?? { key: '', value: new Uint8Array() };
  await driver.put(key, { value: forge(value), groups: seen[0]?.groups ?? [] });
  const fault = await things.get('id-1').catch((error: unknown) => error);
  expect(fault).toMatchObject({ name: 'StoreDamaged', collection: 'test.thing', reason: 'forged' });
  expect(String(fault)).not.toMatch(/Lidia|id-1|[0-9a-f]{64}/);
  await expect(things.list('g')).rejects.toMatchObject({ name: 'StoreDamaged' });
  await expect(things.update('id-1', (thing) => thing)).rejects.toMatchObject({ name: 'StoreDamaged' });
});

test('A28 D59: after rotation old records still open and new ones use the new key; without the key they are told apart', async () => {
  const { store, storeWith, seen } = openWatched();
  await store.collection<Thing>('test.thing').put('old', { owner: 'a', count: 1 });
  const rotated = addKey(ringFile, randomBytes, 1_750_000_100);
  const things = storeWith(openRing(rotated)).collection<Thing>('test.thing');
  expect(await things.get('old')).toEqual({ owner: 'a', count: 1 });
  await things.put('new', { owner: 'b', count: 2 });
  expect(Buffer.from(seen[1]?.value ?? []).includes(rotated.current)).toBe(true);

  const stranger = storeWith(openRing(createKeyRing(randomBytes, 1))).collection<Thing>('test.thing');
  await expect(stranger.get('old')).rejects.toMatchObject({ name: 'StoreDamaged', reason: 'unknown-key' });
});

test('A28: an update after rotation seals again with the new key', async () => {
  const { driver, store, storeWith, seen } = openWatched();
  await store.collection<Thing>('test.thing').put('a', { owner: 'a', count: 1 });
  const rotated = addKey(ringFile, randomBytes, 1_750_000_100);
  await storeWith(openRing(rotated))
    .collection<Thing>('test.thing')
    .update('a', (thing) => thing);
  const stored = await driver.get(seen[0]?.key ?? '');
  expect(Buffer.from(stored?.value ?? []).includes(rotated.current)).toBe(true);
});

test('parallel updates all count; expiry and groups stay', async () => {
  const { clock, things } = openWatched();
  await things.put('a', { owner: 'a', count: 0 }, { lifetimeSeconds: 60, groups: ['g'] });
  await Promise.all(
    Array.from({ length: 10 }, () => things.update('a', (thing) => ({ ...thing, count: thing.count + 1 }))),
  );
  expect(await things.list('g')).toEqual([{ owner: 'a', count: 10 }]);
  clock.advance(60);
  expect(await things.get('a')).toBeUndefined();
});

test('an update of nothing, or one that declines, writes nothing', async () => {
  const { things } = openWatched();
  expect(await things.update('a', (thing) => thing)).toBeUndefined();
  await things.put('a', { owner: 'a', count: 1 });
  expect(await things.update('a', () => undefined)).toBeUndefined();
  expect(await things.get('a')).toEqual({ owner: 'a', count: 1 });
});

test('an update that always loses ends with StoreUnavailable instead of running for ever', async () => {
  const { driver, clock } = openWatched();
  const store = createStore({
    driver: { ...driver, replace: async () => false },
    keyRing: openRing(ringFile),
    random: randomBytes,
    clock,
  });
  const things = store.collection<Thing>('test.thing');
  await things.put('a', { owner: 'a', count: 1 });
  const fault = await things.update('a', (thing) => thing).catch((error: unknown) => error);
  expect(fault).toMatchObject({ message: "A record of 'test.thing' is being changed by too many writers" });
});

test('D22: every record with a lifetime ends in its second', async () => {
  const { clock, things } = openWatched();
  await things.create('a', { owner: 'a', count: 1 }, { lifetimeSeconds: 600 });
  clock.advance(599);
  expect(await things.get('a')).toBeDefined();
  clock.advance(1);
  expect(await things.take('a')).toBeUndefined();
});
