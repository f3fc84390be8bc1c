import { Client } from 'pg';
import { afterAll, beforeAll, describe } from 'vitest';
import type { PostgresStoreConfig } from '../config/config.ts';
import { driverSuite } from './driver.suite.ts';
import { openPostgresDriver } from './postgres.ts';
import { type RealServer, startPostgres, storeConfigOf } from './real-servers.suite.ts';

let server: RealServer;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server.close());

const config = () => storeConfigOf(server.url) as PostgresStoreConfig;
async function query(sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('A57 D22: PostgreSQL', () => {
  driverSuite(
    'postgres',
    async (clock) => {
      const driver = await openPostgresDriver({ config: config(), clock });
      await query('TRUNCATE valetkey.records');
      return driver;
    },
    (clock) => openPostgresDriver({ config: config(), clock }),
  );
});
