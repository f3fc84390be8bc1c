/** The real store in memory, for the tests of this room and of room `entra`: sealed, with the time the test owns. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import { createKeyRing, parseKeyRing } from '@valetkey/core/crypto/key-ring';
import type { Store } from '../store/collection.ts';
import type { Driver } from '../store/driver.ts';
import { createStore } from '../store/sealed.ts';
import { openSqliteDriver } from '../store/sqlite.ts';

export interface TestClock extends Clock {
  advance(seconds: number): void;
}

export function createTestClock(startMs: number): TestClock {
  let elapsedSeconds = 0;
  return {
    nowMs: () => startMs + elapsedSeconds * 1000,
    advance(seconds) {
      elapsedSeconds += seconds;
    },
  };
}

/** @param wrap lets a test watch or break the driver. */
export function openSealedStore(clock: Clock, wrap: (driver: Driver) => Driver = (driver) => driver): Store {
  const parsed = parseKeyRing(createKeyRing(randomBytes, nowSeconds(clock)));
  if (!parsed.ok) throw new Error(parsed.error);
  const driver = wrap(openSqliteDriver({ path: ':memory:', clock }));
  return createStore({ driver, keyRing: parsed.value, random: randomBytes, clock });
}
