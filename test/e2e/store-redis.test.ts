import { startRedis } from '@valetkey/gateway/store/real-servers.suite';
import { testOnReplicas } from '../support/on-replicas.ts';

testOnReplicas('Redis', () => startRedis());
