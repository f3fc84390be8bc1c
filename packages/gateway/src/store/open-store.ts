import type { Clock } from '@valetkey/core/base/clock';
import { loadOptional } from '@valetkey/core/base/optional-package';
import type { RandomBytes } from '@valetkey/core/base/random';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import type { Logger } from 'pino';
import type { StoreConfig } from '../config/config.ts';
import type { Store } from './collection.ts';
import type { Driver } from './driver.ts';
import { createStore } from './sealed.ts';
import { openSqliteDriver } from './sqlite.ts';
import { type RepeatingTimer, startSweeper } from './sweeper.ts';

// Loaded where they are used: who stays with SQLite pays neither their start nor their memory, and need not install them.
const loadPostgres = () => loadOptional('A store in PostgreSQL', () => import('./postgres.ts'));
const loadRedis = () => loadOptional('A store in Redis', () => import('./redis.ts'));

/** @throws StoreUnavailable when the store cannot be opened; Error when its client is not installed. */
export async function openDriver(
  config: StoreConfig,
  clock: Clock,
  log?: Pick<Logger, 'warn'>,
): Promise<Driver> {
  if (config.driver === 'sqlite') return openSqliteDriver({ path: config.path, clock });
  if (config.driver === 'postgres') {
    const { openPostgresDriver } = await loadPostgres();
    return openPostgresDriver({ config, clock });
  }
  const { openRedisDriver } = await loadRedis();
  const warn = ({ problem, remedy }: { problem: string; remedy: string }) => log?.warn({ remedy }, problem);
  return openRedisDriver({ config, clock, warn });
}

/**
 * Brings the layout of the store up to date, which opening it does too: for a role with more rights than the gateway's.
 *
 * @returns a sentence about what was done.
 * @throws StoreUnavailable
 */
export async function migrateStore(config: StoreConfig, clock: Clock): Promise<string> {
  if (config.driver === 'postgres') {
    const { migratePostgresStore } = await loadPostgres();
    const { from, to } = await migratePostgresStore(config);
    return from === to ? `PostgreSQL: layout ${to}, nothing to do` : `PostgreSQL: layout ${to}, was ${from}`;
  }
  await (await openDriver(config, clock)).close();
  return config.driver === 'sqlite' ? 'SQLite: up to date' : 'Redis: reachable; it needs no layout';
}

export interface OpenStoreOptions {
  readonly config: StoreConfig;
  readonly keyRing: KeyRing;
  readonly random: RandomBytes;
  readonly clock: Clock;
  /** Already open; `close` of the store closes it. Default: opened by `config`. */
  readonly driver?: Driver;
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
  const driver = options.driver ?? (await openDriver(config, clock, log));
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
