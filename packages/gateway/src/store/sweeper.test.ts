import { randomBytes } from 'node:crypto';
import { createKeyRing, parseKeyRing } from '@valetkey/core/crypto/key-ring';
import { expect, test } from 'vitest';
import type { Driver } from './driver.ts';
import { createMovableClock } from './driver.suite.ts';
import { openStore } from './open-store.ts';
import { openSqliteDriver } from './sqlite.ts';
import { startSweeper } from './sweeper.ts';

function createHandTimer() {
  const ticking = new Set<() => void>();
  return {
    ticking,
    tick: () => {
      for (const work of ticking) work();
    },
    timer: (work: () => void) => {
      ticking.add(work);
      return () => ticking.delete(work);
    },
  };
}

test('D22: a tick removes expired records in batches, and stopping ends the ticks', async () => {
  const clock = createMovableClock();
  const driver = openSqliteDriver({ path: ':memory:', clock });
  for (let index = 0; index < 7; index += 1) {
    await driver.put(`k${index}`, { value: new Uint8Array(1), expiresAtSeconds: 1 });
  }
  const { ticking, tick, timer } = createHandTimer();
  const stop = startSweeper({ driver, timer, batchSize: 2 });
  tick();
  await new Promise(setImmediate);
  expect(await driver.sweep(100)).toBe(0);
  await stop();
  expect(ticking.size).toBe(0);
  await driver.close();
});

test('a failing sweep is told to the log once per tick and the next tick tries again', async () => {
  const calls: number[] = [];
  const driver = {
    sweep: async (limit: number) => {
      calls.push(limit);
      throw new Error('disk I/O error');
    },
  } as Partial<Driver> as Driver;
  const warnings: unknown[] = [];
  const { tick, timer } = createHandTimer();
  const stop = startSweeper({
    driver,
    timer,
    log: { warn: (detail: unknown) => void warnings.push(detail) },
  });
  tick();
  tick();
  await new Promise(setImmediate);
  tick();
  await stop();
  expect(calls).toEqual([500, 500]);
  expect(warnings).toEqual([{ reason: 'disk I/O error' }, { reason: 'disk I/O error' }]);
});

test('closing the store stops its sweeper', async () => {
  const ring = parseKeyRing(createKeyRing(randomBytes, 1));
  if (!ring.ok) throw new Error(ring.error);
  const { ticking, timer } = createHandTimer();
  const store = await openStore({
    config: { driver: 'sqlite', path: ':memory:' },
    keyRing: ring.value,
    random: randomBytes,
    clock: createMovableClock(),
    timer,
  });
  expect(ticking.size).toBe(1);
  await store.close();
  expect(ticking.size).toBe(0);
  await expect(store.ping()).rejects.toMatchObject({ name: 'StoreUnavailable' });
});
