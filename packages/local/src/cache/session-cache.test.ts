import { createSecretKey } from 'node:crypto';
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TokenCacheContext } from '@azure/msal-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSessionCache } from './session-cache.ts';
import { openSessionFile } from './session-file.ts';

const key = { kid: 'local', key: createSecretKey(new Uint8Array(32)) };
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-session-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Two of them are two processes: nothing but the folder is shared. */
function openCache() {
  let nonce = 0;
  const file = openSessionFile({
    path: join(folder, 'a.session'),
    key: async () => key,
    random: (size) => new Uint8Array(size).fill((nonce += 1)),
    log: () => undefined,
  });
  return { file, cache: createSessionCache(file) };
}

/** A client of MSAL that adds one word to what it finds. */
async function addWord({ cache }: ReturnType<typeof openCache>, word: string): Promise<void> {
  let text = '';
  const tokenCache = {
    deserialize: (given: string) => {
      text = given;
    },
    serialize: () => `${text} ${word}`,
  };
  const context = new TokenCacheContext(tokenCache, true);
  await cache.plugin.beforeCacheAccess(context);
  await new Promise((resolve) => setImmediate(resolve));
  await cache.plugin.afterCacheAccess(context);
}

test('what two processes add at the same time is both kept', async () => {
  const [one, two] = [openCache(), openCache()];
  const words = Array.from({ length: 10 }, (_, index) => `w${index}`);
  await Promise.all(words.map((word, index) => addWord(index % 2 === 0 ? one : two, word)));
  const kept = (await one.file.read())?.msal.split(' ').slice(1).toSorted();
  expect(kept).toEqual(words);
  expect(await readdir(folder)).toEqual(['a.session']);
});

test('D8: the choice of an account and the tokens do not overwrite each other', async () => {
  const [one, two] = [openCache(), openCache()];
  await Promise.all([addWord(one, 'a'), two.cache.choose('rita'), addWord(one, 'b')]);
  expect(await one.cache.findChosen()).toBe('rita');
  expect((await one.file.read())?.msal.split(' ').toSorted()).toEqual(['a', 'b', '{}'].toSorted());
});

test('a file of another client put in its place does not open', async () => {
  const { file } = openCache();
  await file.write({ version: 1, msal: '{}' });
  const other = openSessionFile({
    path: join(folder, 'b.session'),
    key: async () => key,
    random: (size) => new Uint8Array(size),
    log: () => undefined,
  });
  await copyFile(join(folder, 'a.session'), join(folder, 'b.session'));
  expect(await other.read()).toBeUndefined();
});
