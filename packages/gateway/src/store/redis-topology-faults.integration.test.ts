/** The faults of one server, on the two topologies whose servers tell clients where to go. */
import type { RedisStoreConfig } from '../config/config.ts';
import { type FaultSuiteOptions, faultSuite } from './faults.suite.ts';
import { startProxiedCluster, startProxiedSentinel } from './proxied-redis.suite.ts';
import { openRedisDriver } from './redis.ts';

const open: FaultSuiteOptions['open'] = (config, clock, deadlineMs) =>
  openRedisDriver({ config: config as RedisStoreConfig, clock, deadlineMs });

faultSuite('Redis Cluster of three', { start: startProxiedCluster, open });
faultSuite('Redis with sentinels', { start: startProxiedSentinel, open });
