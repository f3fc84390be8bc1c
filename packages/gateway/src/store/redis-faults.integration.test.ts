import type { RedisStoreConfig } from '../config/config.ts';
import { faultSuite } from './faults.suite.ts';
import { startRedis } from './real-servers.suite.ts';
import { openRedisDriver } from './redis.ts';

faultSuite('Redis', {
  start: () => startRedis(),
  open: (config, clock, deadlineMs) =>
    openRedisDriver({ config: config as RedisStoreConfig, clock, deadlineMs }),
  through: (config, port) => ({ ...(config as RedisStoreConfig), hosts: [{ host: '127.0.0.1', port }] }),
});
