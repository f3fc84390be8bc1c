import { afterAll, beforeAll, describe } from 'vitest';
import type { RedisStoreConfig } from '../config/config.ts';
import { driverSuite } from './driver.suite.ts';
import { startRedis, startRedisCluster, startRedisSentinel, storeConfigOf } from './real-servers.suite.ts';
import { openRedisDriver } from './redis.ts';

const configOf = (url: string) => storeConfigOf(url) as RedisStoreConfig;

/** Another prefix each time is another, empty store. */
function suiteOn(name: string, start: () => Promise<{ url: string; close(): Promise<void> }>): void {
  describe(name, () => {
    const state = { url: '', close: async () => {}, stores: 0 };
    beforeAll(async () => {
      const { url, close } = await start();
      Object.assign(state, { url, close });
    }, 60_000);
    afterAll(() => state.close());
    const config = () => ({ ...configOf(state.url), prefix: `store${state.stores}` });
    driverSuite(
      name,
      (clock) => {
        state.stores += 1;
        return openRedisDriver({ config: config(), clock });
      },
      (clock) => openRedisDriver({ config: config(), clock }),
    );
  });
}

suiteOn('A57 D22: Redis, one server', () => startRedis());
suiteOn('A57 D22: Redis Cluster of three', () => startRedisCluster());
suiteOn('A57 D22: Redis with sentinels', () => startRedisSentinel());
