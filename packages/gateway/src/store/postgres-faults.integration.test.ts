import type { PostgresStoreConfig } from '../config/config.ts';
import { faultSuite } from './faults.suite.ts';
import { openPostgresDriver } from './postgres.ts';
import { startPostgres } from './real-servers.suite.ts';

faultSuite('PostgreSQL', {
  start: () => startPostgres(),
  open: (config, clock, deadlineMs) =>
    openPostgresDriver({ config: config as PostgresStoreConfig, clock, deadlineMs }),
  through: (config, port) => ({ ...(config as PostgresStoreConfig), port }),
});
