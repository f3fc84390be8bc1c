import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSnippetStore, isSnippetName, type SnippetStore } from './snippet-store.ts';

let root: string;
let store: SnippetStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'snippets-'));
  store = createSnippetStore(root);
});

afterEach(() => rm(root, { recursive: true, force: true }));

test.each([
  ['note', true],
  ['A-b_9', true],
  ['x'.repeat(64), true],
  ['x'.repeat(65), false],
  ['', false],
  ['..', false],
  ['../up', false],
  ['a/b', false],
  ['a\\b', false],
  ['a.b', false],
  ['a\n', false],
  ['a\u0000', false],
  ['naïve', false],
])('D60: is %j a snippet name? %s', (name, verdict) => {
  expect(isSnippetName(name)).toBe(verdict);
});

test('what is saved is found again, and replaced by a second save', async () => {
  await store.save('anna', 'note', 'one');
  await store.save('anna', 'note', 'two');
  expect(await store.find('anna', 'note')).toBe('two');
});

test('D42: a snippet belongs to the person who saved it', async () => {
  await store.save('anna', 'note', 'of anna');
  expect(await store.find('ben', 'note')).toBeUndefined();
});

test('names that differ in case only stay apart', async () => {
  await store.save('anna', 'Note', 'upper');
  await store.save('anna', 'note', 'lower');
  expect(await store.find('anna', 'Note')).toBe('upper');
});

test('D60: a name that is a path is refused before any file is touched', async () => {
  await expect(store.save('anna', '../note', 'x')).rejects.toThrow(TypeError);
  expect(await readdir(root)).toEqual([]);
});

test('a person id that looks like a path cannot leave the root', async () => {
  await store.save('../../etc', 'note', 'x');
  expect((await readdir(root)).every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true);
});

test('parallel saves leave one whole text and no drafts', async () => {
  const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(5_000));
  await Promise.all(texts.map((text) => store.save('anna', 'note', text)));
  expect(texts).toContain(await store.find('anna', 'note'));
  const [directory] = await readdir(root);
  expect(await readdir(join(root, directory ?? ''))).toHaveLength(1);
});
