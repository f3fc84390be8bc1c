import type { RedisStoreConfig } from '../config/config.ts';
import { type FaultSuiteOptions, faultSuite } from './faults.suite.ts';
import { startRedis } from './real-servers.suite.ts';
import { openRedisDriver } from './redis.ts';

const open: FaultSuiteOptions['open'] = (config, clock, deadlineMs) =>
  openRedisDriver({ config: config as RedisStoreConfig, clock, deadlineMs });

faultSuite('Redis', {
  start: () => startRedis(),
  open,
  through: (config, port) => ({ ...(config as RedisStoreConfig), hosts: [{ host: '127.0.0.1', port }] }),
});
