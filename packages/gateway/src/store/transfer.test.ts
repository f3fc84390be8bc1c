import { randomBytes } from 'node:crypto';
import type { Clock } from '@valetkey/core/base/clock';
import { addKey, createKeyRing, type KeyRing, parseKeyRing } from '@valetkey/core/crypto/key-ring';
import { expect, test } from 'vitest';
import type { Driver } from './driver.ts';
import { checkKeyRing } from './key-check.ts';
import { createStore } from './sealed.ts';
import { openSqliteDriver } from './sqlite.ts';
import { exportRecords, importRecords } from './transfer.ts';

const clock: Clock = { nowMs: () => 1_750_000_000_000 };
const random = (size: number) => randomBytes(size);
const newDriver = () => openSqliteDriver({ path: ':memory:', clock });

function newRing(): { ring: KeyRing; rotated: KeyRing } {
  const file = createKeyRing(random, 1_750_000_000);
  const [ring, rotated] = [file, addKey(file, random, 1_750_000_100)].map((each) => {
    const parsed = parseKeyRing(each);
    if (!parsed.ok) throw new Error(parsed.error);
    return parsed.value;
  });
  if (ring === undefined || rotated === undefined) throw new Error('no ring');
  return { ring, rotated };
}

async function fill(driver: Driver, keyRing: KeyRing, count = 300) {
  const store = createStore({ driver, keyRing, random, clock });
  const things = store.collection<{ name: string }>('thing');
  for (let index = 0; index < count; index += 1) {
    await things.put(
      `id${index}`,
      { name: `name${index}` },
      { groups: ['all'], lifetimeSeconds: 600 + index },
    );
  }
  await things.put('kept', { name: 'kept' });
  await things.put('expired', { name: 'expired' }, { lifetimeSeconds: 0 });
  return things;
}
async function toText(lines: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const line of lines) text += line;
  return text;
}
async function* linesOf(text: string) {
  yield* text.split('\n');
}

test('D22 D49: what was exported is there after importing, whole, with groups and expiry, opened by the same keys', async () => {
  const { ring } = newRing();
  const [from, to] = [newDriver(), newDriver()];
  await fill(from, ring);
  const text = await toText(exportRecords(from, ring));
  expect(await importRecords(to, ring, linesOf(text))).toEqual({ ok: true, value: 301 });
  const things = createStore({ driver: to, keyRing: ring, random, clock }).collection<{ name: string }>(
    'thing',
  );
  expect(await things.get('id7')).toEqual({ name: 'name7' });
  expect(await things.get('expired')).toBeUndefined();
  expect(await things.list('all')).toHaveLength(300);
  const records = async (driver: Driver) => (await driver.scan()).records;
  expect(await records(to)).toEqual(await records(from));
});

test('A28: an export holds nothing in clear, and after a rotation the ring still opens it', async () => {
  const { ring, rotated } = newRing();
  const from = newDriver();
  await fill(from, ring, 20);
  const text = await toText(exportRecords(from, ring));
  expect(text).not.toMatch(/name7|id7|"kept"/);
  expect(await importRecords(newDriver(), rotated, linesOf(text))).toMatchObject({ ok: true });
});

test('A28: a key ring that does not fit is refused at both ends, and nothing is written', async () => {
  const [right, wrong] = [newRing().ring, newRing().ring];
  const [from, to] = [newDriver(), newDriver()];
  await fill(from, right, 5);
  await expect(toText(exportRecords(from, wrong))).rejects.toThrow(/key that the key ring does not hold/);
  const imported = await importRecords(to, wrong, linesOf(await toText(exportRecords(from, right))));
  expect(imported).toMatchObject({
    ok: false,
    error: { problem: expect.stringContaining('key ring') as string },
  });
  expect((await to.scan()).records).toEqual([]);
});

test('a record moved to another id is refused', async () => {
  const { ring } = newRing();
  const from = newDriver();
  await fill(from, ring, 2);
  const lines = (await toText(exportRecords(from, ring))).split('\n');
  const [first, second] = lines.slice(1, 3).map((line) => JSON.parse(line) as Record<string, unknown>);
  lines[1] = JSON.stringify({ ...first, value: second?.['value'] });
  expect(await importRecords(newDriver(), ring, linesOf(lines.join('\n')))).toMatchObject({ ok: false });
});

test.each<[string, (text: string) => string, RegExp]>([
  ['cut off', (text) => text.split('\n').slice(0, 5).join('\n'), /cut off/],
  ['without one of its lines', (text) => text.split('\n').toSpliced(2, 1).join('\n'), /damaged/],
  [
    'with a line that is no record',
    (text) => text.split('\n').toSpliced(2, 1, '{"key":5}').join('\n'),
    /damaged/,
  ],
  ['of nothing', () => '', /no export/],
  ['of something else', () => 'hello\nworld', /no export/],
  ['of another version', (text) => text.replace('"version":1', '"version":2'), /another version/],
])('an export %s is told apart', async (_name, change, problem) => {
  const { ring } = newRing();
  const from = newDriver();
  await fill(from, ring, 5);
  const imported = await importRecords(
    newDriver(),
    ring,
    linesOf(change(await toText(exportRecords(from, ring)))),
  );
  expect(imported.ok ? '' : imported.error.problem).toMatch(problem);
});

test('a store that is in use is not overwritten, unless that is asked for; one that was only started is empty', async () => {
  const { ring } = newRing();
  const [from, used, started] = [newDriver(), newDriver(), newDriver()];
  await fill(from, ring, 5);
  await fill(used, ring, 1);
  await checkKeyRing(createStore({ driver: started, keyRing: ring, random, clock }));
  const text = await toText(exportRecords(from, ring));
  expect(await importRecords(used, ring, linesOf(text))).toMatchObject({
    ok: false,
    error: { problem: 'The store holds records already' },
  });
  expect(await importRecords(used, ring, linesOf(text), { merge: true })).toEqual({ ok: true, value: 6 });
  expect(await importRecords(started, ring, linesOf(text))).toEqual({ ok: true, value: 6 });
});
