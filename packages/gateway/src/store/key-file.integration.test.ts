import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import { expect, test } from 'vitest';
import { checkKeyRing } from './key-check.ts';
import { openKeyRing } from './key-file.ts';
import { openStore } from './open-store.ts';

const clock = { nowMs: () => 1_750_000_000_000 };
const newPath = () => join(mkdtempSync(join(tmpdir(), 'valetkey-keys-')), 'keys', 'keys.json');

async function openGood(path: string): Promise<KeyRing> {
  const ring = await openKeyRing(path, randomBytes, clock);
  if (!ring.ok) throw new Error(ring.error.problem);
  return ring.value;
}

test('A28: the first start makes a private key file, the next one reads it', async () => {
  const path = newPath();
  const first = await openGood(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(path))).toEqual(['keys.json']);
  const second = await openGood(path);
  expect(second.kids).toEqual(first.kids);
  expect(second.signingJwk).toEqual(first.signingJwk);
});

test('A28: starts at the same time end with one key file, within a process and between processes', {
  timeout: 30_000,
}, async () => {
  const path = newPath();
  const rings = await Promise.all(Array.from({ length: 10 }, () => openGood(path)));
  expect(new Set(rings.map((ring) => ring.current('store').kid)).size).toBe(1);
  expect(readdirSync(dirname(path))).toEqual(['keys.json']);

  const shared = newPath();
  const child = fileURLToPath(new URL('key-process.suite.ts', import.meta.url));
  const run = () => promisify(execFile)(process.execPath, ['--conditions=valetkey-source', child, shared]);
  const answers = await Promise.all([run(), run(), run()]);
  const kid = (await openGood(shared)).current('store').kid;
  expect(answers.map(({ stdout }) => stdout)).toEqual([kid, kid, kid]);
});

test.each([0o640, 0o604, 0o644, 0o660])(
  'A28 D23: a key file of mode %o is refused with the remedy',
  async (mode) => {
    const path = newPath();
    await openGood(path);
    chmodSync(path, mode);
    const ring = await openKeyRing(path, randomBytes, clock);
    if (ring.ok) throw new Error('opened');
    expect(ring.error.problem).toContain(`mode ${mode.toString(8)}`);
    expect(ring.error.remedy).toContain(`chmod 600 ${path}`);
  },
);

test.each([
  ['an empty file', () => ''],
  ['a cut file', (text: string) => text.slice(0, 80)],
  ['another JSON', () => '{"secret":"hunter2-hunter2"}'],
  ['a short secret', (text: string) => text.replace(/"secret": "[^"]+"/, '"secret": "hunter2-hunter2"')],
])('%s as key file is refused, kept, and not quoted', async (_name, damage) => {
  const path = newPath();
  await openGood(path);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, damage(text));
  const ring = await openKeyRing(path, randomBytes, clock);
  if (ring.ok) throw new Error('opened');
  expect(ring.error.problem).toContain('malformed');
  const secret = (JSON.parse(text) as { keys: { secret: string }[] }).keys[0]?.secret.slice(0, 12) ?? '';
  expect(JSON.stringify(ring.error)).not.toMatch(new RegExp(`hunter2|${secret}`));
  expect(readFileSync(path, 'utf8')).toBe(damage(text));
});

test('a folder in the place of the key file is a fault and not an exception', async () => {
  const ring = await openKeyRing(mkdtempSync(join(tmpdir(), 'valetkey-keys-')), randomBytes, clock);
  expect(ring.ok).toBe(false);
});

test('A28 D59: a store whose key file was lost is refused at start; the restored file opens it', async () => {
  const keyPath = newPath();
  const config = { driver: 'sqlite', path: join(dirname(dirname(keyPath)), 'store.db') } as const;
  const startOnce = async () => {
    const store = await openStore({ config, keyRing: await openGood(keyPath), random: randomBytes, clock });
    const checked = await checkKeyRing(store);
    await store.close();
    return checked;
  };
  expect(await startOnce()).toMatchObject({ ok: true });
  expect(await startOnce()).toMatchObject({ ok: true });

  const kept = readFileSync(keyPath);
  rmSync(keyPath);
  const refused = await startOnce();
  expect(refused).toMatchObject({
    ok: false,
    error: { problem: 'The store was sealed with a key that the key file does not hold' },
  });
  expect(existsSync(config.path)).toBe(true);
  expect(await startOnce(), 'a second start is refused too').toMatchObject({ ok: false });

  writeFileSync(keyPath, kept);
  expect(await startOnce()).toMatchObject({ ok: true });
});
