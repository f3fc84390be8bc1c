import { pino } from 'pino';
import { expect, test } from 'vitest';
import { openSealedStore } from '../session/sealed-store.suite.ts';
import { StoreUnavailable } from '../store/driver.ts';
import type { Collection, Store } from '../store/collection.ts';
import { createToolAnnotations } from './tool-annotations.ts';

function open(store: Store = openSealedStore({ nowMs: () => Date.now() })) {
  const time = { nowMs: 1_000_000 };
  const counted = { reads: 0, writes: 0 };
  const counting: Store = {
    ...store,
    collection<Value>(name: string): Collection<Value> {
      const inner = store.collection<Value>(name);
      return {
        ...inner,
        get(id) {
          counted.reads += 1;
          return inner.get(id);
        },
        put(id, value, options) {
          counted.writes += 1;
          return inner.put(id, value, options);
        },
      };
    },
  };
  const warned: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warned.push(line) });
  const replica = () =>
    createToolAnnotations({
      backend: 'a',
      store: counting,
      clock: { nowMs: () => time.nowMs },
      log,
    });
  return { replica, time, counted, warned };
}

const list = [
  { name: 'get', isReadOnly: true },
  { name: 'save', isReadOnly: false },
];

test('what one replica heard another one finds, and a call of a known tool reads no store', async () => {
  const { replica, counted } = open();
  const [heard, asks] = [replica(), replica()];
  heard.learn(list);
  await heard.settled();
  expect(asks.isReadOnly('get')).toBeUndefined();
  await asks.look();
  expect([asks.isReadOnly('get'), asks.isReadOnly('save'), asks.isReadOnly('x')]).toEqual([
    true,
    false,
    undefined,
  ]);
  expect(counted).toEqual({ reads: 2, writes: 1 });
});

test('A22: calls of unknown tools read the store every two seconds, however many there are', async () => {
  const { replica, counted, time } = open();
  const asks = replica();
  for (let round = 0; round < 50; round += 1) await asks.look();
  expect(counted.reads).toBe(1);
  time.nowMs += 2000;
  await asks.look();
  expect(counted.reads).toBe(2);
});

test('the same list again is not written again, until a day has passed', async () => {
  const { replica, counted, time } = open();
  const heard = replica();
  for (let round = 0; round < 5; round += 1) heard.learn(list);
  await heard.settled();
  expect(counted.writes).toBe(1);
  heard.learn([{ name: 'get', isReadOnly: false }]);
  await heard.settled();
  expect(counted.writes).toBe(2);
  time.nowMs += 24 * 3600 * 1000;
  heard.learn(list.slice(1));
  await heard.settled();
  expect(counted.writes).toBe(3);
});

test('A24: what a replica heard itself is not overruled by an older word in the store', async () => {
  const { replica } = open();
  const [first, second] = [replica(), replica()];
  first.learn([{ name: 'save', isReadOnly: true }]);
  await first.settled();
  second.learn([{ name: 'save', isReadOnly: false }]);
  await second.settled();
  await second.look();
  expect(second.isReadOnly('save')).toBe(false);
  const third = replica();
  await third.look();
  expect(third.isReadOnly('save'), 'the later word is the one that is shared').toBe(false);
});

test('A24: without the store nothing is known, nothing fails, and the log says so without names', async () => {
  const store = openSealedStore({ nowMs: () => Date.now() });
  const broken: Store = {
    ...store,
    collection<Value>(name: string) {
      const fail = () => Promise.reject(new StoreUnavailable('down'));
      return { ...store.collection<Value>(name), get: fail, put: fail };
    },
  };
  const { replica, warned } = open(broken);
  const asks = replica();
  await asks.look();
  expect(asks.isReadOnly('get')).toBeUndefined();
  asks.learn(list);
  await asks.settled();
  expect(asks.isReadOnly('get')).toBe(true);
  expect(warned).toHaveLength(2);
  expect(warned.join('')).toContain('StoreUnavailable');
});
