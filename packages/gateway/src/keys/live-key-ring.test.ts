import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { createKeyRing, parseKeyRing } from '@valetkey/core/crypto/key-ring';
import { expect, test } from 'vitest';
import { Secret } from '@valetkey/core/base/secret';
import { createStore } from '../store/sealed.ts';
import { openSqliteDriver } from '../store/sqlite.ts';
import { createKeySource } from './key-source.ts';
import { watchKeyRing } from './live-key-ring.ts';
import { pruneKeys, reportKeys, stageNewKeys, useNewKeys } from './rotation.ts';

const world = { random: (size: number) => randomBytes(size), clock: { nowMs: () => 1_800_000_000_000 } };

async function open() {
  const file = join(mkdtempSync(join(tmpdir(), 'valetkey-live-')), 'keys.json');
  const source = createKeySource({ config: { kind: 'file', file }, ...world });
  const loaded = await source.load();
  if (!loaded.ok) throw new Error(loaded.error.problem);
  const errors: string[] = [];
  const log = { info: () => {}, error: (...args: unknown[]) => void errors.push(String(args.at(-1))) };
  const live = await watchKeyRing({
    source,
    ring: loaded.value.ring,
    timer: () => () => {},
    log: log as never,
  });
  return { file, source, live, errors };
}

test('A28 D59: a running ring follows both steps of a rotation', async () => {
  const { source, live } = await open();
  const old = live.current('store').kid;
  const oldSigning = live.signingJwk.kid;
  await stageNewKeys({ source, ...world });
  expect(await live.reload()).toBe(true);
  expect([live.current('store').kid, live.kids.length, live.publicJwks.length]).toEqual([old, 2, 2]);
  await useNewKeys({ source, ...world });
  expect(await live.reload()).toBe(true);
  expect(live.current('store').kid).not.toBe(old);
  expect(live.find('store', old)?.kid).toBe(old);
  expect(live.signingJwk.kid).not.toBe(oldSigning);
  expect(live.publicJwks.map(({ kid }) => kid)).toEqual([live.signingJwk.kid, oldSigning]);
  expect(JSON.stringify(live.publicJwks)).not.toContain('"d"');
  expect(await live.reload()).toBe(false);
});

test.each([
  ['garbage', '{'],
  ['a ring of somebody else', JSON.stringify(createKeyRing(randomBytes, 1))],
])('A28: a file that became %s is not taken: the running ring stays', async (_what, text) => {
  const { file, live, errors } = await open();
  const kid = live.current('store').kid;
  writeFileSync(file, text, { mode: 0o600 });
  expect(await live.reload()).toBe(false);
  await live.reload();
  expect(live.current('store').kid).toBe(kid);
  expect(errors).toHaveLength(1);
});

test('D23: the running ring prints no key', async () => {
  const { live } = await open();
  const { d } = live.signingJwk;
  for (const text of [JSON.stringify(live), inspect(live, { depth: 9, showHidden: false }), live.toString()])
    expect(text).not.toContain(d);
});

test('A28: a key goes when it seals nothing, and not before its tokens have run out', async () => {
  const { source, live } = await open();
  const driver = openSqliteDriver({ path: ':memory:', clock: world.clock });
  const store = createStore({ driver, keyRing: live, ...world });
  const notes = store.collection<string>('notes');
  for (let index = 0; index < 300; index += 1)
    await notes.put(String(index), `value ${index}`, { groups: ['all'], lifetimeSeconds: 600 });
  await stageNewKeys({ source, ...world });
  expect(await stageNewKeys({ source, ...world })).toMatchObject({ ok: false });
  expect(await pruneKeys({ source, driver, ...world, waitSeconds: 3600 })).toMatchObject({ ok: false });
  await useNewKeys({ source, ...world });
  await live.reload();
  expect(await pruneKeys({ source, driver, ...world, waitSeconds: 3600 })).toMatchObject({ ok: false });
  const report = await reportKeys(source, driver);
  expect(report).toMatchObject({ ok: true, value: [{ records: 300 }, { records: 0, isCurrent: true }] });

  const later = { ...world, clock: { nowMs: () => world.clock.nowMs() + 3_601_000 } };
  const pruned = await pruneKeys({ source, driver, ...later, waitSeconds: 3600 });
  expect(pruned).toMatchObject({ ok: true, value: [expect.any(String)] });
  await live.reload();
  expect(live.kids).toHaveLength(1);
  expect(await notes.get('299')).toBe('value 299');
  expect(await notes.list('all')).toHaveLength(300);
});

test('A28: a ring in a variable works, and is not written', async () => {
  const json = JSON.stringify(createKeyRing(randomBytes, 1));
  const config = { kind: 'environment', variable: 'KEYS', json: new Secret(json) } as const;
  const source = createKeySource({ config, ...world });
  const loaded = await source.load();
  expect(loaded.ok && loaded.value.ring.kids).toEqual(
    parseKeyRing(JSON.parse(json)).ok ? [JSON.parse(json).current] : [],
  );
  expect(await stageNewKeys({ source, ...world })).toMatchObject({
    ok: false,
    error: { problem: expect.stringContaining('KEYS') },
  });
});
