import { expect, test } from 'vitest';
import { createAdmission } from './admission.ts';

/** Work that ends when the test says so, and what is under way. */
function createWork() {
  const begun: { name: string; end: () => void }[] = [];
  const work = (name: string) => () =>
    new Promise<string>((settle) => begun.push({ name, end: () => settle(name) }));
  return { begun, work, names: () => begun.map(({ name }) => name) };
}

const settled = () => new Promise<void>((done) => setImmediate(done));

test('so many are in at once, and the others follow in the order in which they came', async () => {
  const { admit } = createAdmission({ atOnce: 2, patienceMs: 60_000 });
  const { begun, work, names } = createWork();
  const all = ['a', 'b', 'c', 'd'].map((name) => admit(work(name)));
  await settled();
  expect(names()).toEqual(['a', 'b']);
  begun[1]?.end();
  await settled();
  expect(names()).toEqual(['a', 'b', 'c']);
  const late = admit(work('e'));
  begun[0]?.end();
  begun[2]?.end();
  await settled();
  expect(names()).toEqual(['a', 'b', 'c', 'd', 'e']);
  for (const { end } of begun) end();
  expect(await Promise.all([...all, late])).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('who waits for too long is sent away, and its work is never begun', async () => {
  const { admit } = createAdmission({ atOnce: 1, patienceMs: 5 });
  const { begun, work, names } = createWork();
  const first = admit(work('first'));
  expect(await admit(work('second'))).toBeUndefined();
  begun[0]?.end();
  await first;
  const third = admit(work('third'));
  await settled();
  expect(names()).toEqual(['first', 'third']);
  begun[1]?.end();
  await third;
});

test('work that fails leaves its place', async () => {
  const { admit } = createAdmission({ atOnce: 1, patienceMs: 60_000 });
  await expect(admit(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(await admit(async () => 'next')).toBe('next');
});
