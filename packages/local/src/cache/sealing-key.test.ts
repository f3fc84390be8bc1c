import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KeychainUnavailable } from './keychain.ts';
import { keyFilePlace, type KeyPlace, openSealingKey } from './sealing-key.ts';

const random = (size: number) => new Uint8Array(size).fill(9);
const alone = <Value>(work: () => Promise<Value>) => work();
const unavailable = () => Promise.reject(new KeychainUnavailable('locked'));

test.each<[string, KeyPlace]>([
  ['no keychain', { read: unavailable, write: unavailable }],
  ['one that cannot be written', { read: async () => undefined, write: unavailable }],
  ['one that keeps nothing', { read: async () => undefined, write: async () => undefined }],
  ['one that holds something else', { read: async () => new Uint8Array(5), write: async () => undefined }],
])(
  'A7 D12: %s refuses sign-in and names the choices, and the variable that takes them',
  async (_name, place) => {
    const failure = openSealingKey(place, random, alone);
    await expect(failure).rejects.toMatchObject({ reason: 'no-keychain' });
    await expect(failure).rejects.toThrow(/`memory`.*`file`.*VALETKEY_TOKEN_STORE/);
  },
);

test('a key that another process made meanwhile is the one that is used', async () => {
  const other = new Uint8Array(32).fill(1);
  const kept: { key?: Uint8Array } = {};
  const place: KeyPlace = { read: async () => kept.key, write: async (key) => void (kept.key = key) };
  const opened = await openSealingKey(place, random, async (work) => {
    kept.key = other;
    return work();
  });
  expect(new Uint8Array(opened.key.export())).toEqual(other);
});

test('A7: the key file of the store `file` is for its owner alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'valetkey-key-'));
  try {
    const path = join(folder, 'key');
    const place = keyFilePlace(path);
    const first = await openSealingKey(place, random, alone);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await chmod(path, 0o644);
    const second = await openSealingKey(place, random, alone);
    expect(second.key.equals(first.key)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
