import type { Clock } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import type { Logger } from 'pino';
import type { StoreConfig } from '../config/config.ts';
import type { Store } from './collection.ts';
import type { Driver } from './driver.ts';
import { createStore } from './sealed.ts';
import { openSqliteDriver } from './sqlite.ts';
import { type RepeatingTimer, startSweeper } from './sweeper.ts';

/** @throws StoreUnavailable when the store cannot be opened. */
export async function openDriver(config: StoreConfig, clock: Clock): Promise<Driver> {
  return openSqliteDriver({ path: config.path, clock });
}

export interface OpenStoreOptions {
  readonly config: StoreConfig;
  readonly keyRing: KeyRing;
  readonly random: RandomBytes;
  readonly clock: Clock;
  /** Drives the sweeper; default: `setInterval`. */
  readonly timer?: RepeatingTimer;
  readonly log?: Pick<Logger, 'warn'>;
}

/**
 * The whole store: driver, sealing, and the sweeper, which `close` stops.
 *
 * Call `checkKeyRing` before the first use, so that a lost key is found at start and not by a person.
 *
 * @throws StoreUnavailable when the store cannot be opened.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { config, keyRing, random, clock, timer, log } = options;
  const driver = await openDriver(config, clock);
  const store = createStore({ driver, keyRing, random, clock });
  const stopSweeper = startSweeper({
    driver,
    ...(timer === undefined ? {} : { timer }),
    ...(log === undefined ? {} : { log }),
  });
  return {
    ...store,
    close: async () => {
      await stopSweeper();
      await store.close();
    },
  };
}
