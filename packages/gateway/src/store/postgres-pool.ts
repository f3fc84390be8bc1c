/** Connections to PostgreSQL, each wait of theirs bounded. */
import { Pool, type PoolClient, type QueryResult } from 'pg';
import type { PostgresStoreConfig } from '../config/config.ts';
import { StoreUnavailable } from './driver.ts';
import {
  ConnectFault,
  describePostgresFault,
  isConnectionSound,
  isLostPostgres,
  isUnsentPostgres,
} from './postgres-faults.ts';
import { createPatience } from './patience.ts';

/** Prepared once per connection, under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export interface PostgresPool {
  /** @param kind `read`: harmless to repeat where the connection was lost with the answer. */
  run(kind: 'read' | 'write', statement: Statement, values: readonly unknown[]): Promise<QueryResult>;
  /** Several statements on one connection, once. */
  withClient<Value>(work: (client: PoolClient) => Promise<Value>): Promise<Value>;
  close(): Promise<void>;
}

const connectTimeoutMs = 3_000;
const maxConnections = 10;

export function openPostgresPool(config: PostgresStoreConfig, deadlineMs = 5_000): PostgresPool {
  const { username, password, tls, caPem } = config;
  const pool = new Pool({
    host: config.host,
    port: config.port,
    database: config.database,
    ...(username === undefined ? {} : { user: username }),
    // A function, so that no option object holds it in clear.
    ...(password === undefined ? {} : { password: () => password.reveal() }),
    ssl: tls ? { rejectUnauthorized: true, ...(caPem === undefined ? {} : { ca: caPem }) } : false,
    application_name: 'valetkey',
    max: maxConnections,
    connectionTimeoutMillis: Math.min(connectTimeoutMs, deadlineMs),
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    // The server gives up first, so that nothing runs on that nobody waits for.
    statement_timeout: Math.ceil(deadlineMs * 0.9),
    query_timeout: deadlineMs,
  });
  // A connection that ends is replaced when one is needed. Without a listener its event would end the process: the
  // pool listens to those that are idle only.
  pool.on('error', () => {});
  pool.on('connect', (client) => void client.on('error', () => {}));
  const state = { closed: false };
  const patience = createPatience({
    engine: 'PostgreSQL',
    deadlineMs,
    isUnsent: isUnsentPostgres,
    isLost: isLostPostgres,
    describe: describePostgresFault,
  });

  async function connect(signal?: AbortSignal): Promise<PoolClient> {
    if (state.closed) throw new StoreUnavailable('The PostgreSQL store is closed');
    try {
      const client = await pool.connect();
      if (signal?.aborted !== true) return client;
      client.release();
    } catch (fault) {
      throw new ConnectFault('no connection', { cause: fault });
    }
    throw new StoreUnavailable('The PostgreSQL store failed: no free connection in time');
  }

  return {
    run: (kind, statement, values) =>
      patience.run(kind, async (signal) => {
        const client = await connect(signal);
        try {
          const result = await client.query({ ...statement, values: [...values] });
          client.release();
          return result;
        } catch (fault) {
          // Where it is not sound it is thrown away: the next one may lead to another, living server.
          client.release(!isConnectionSound(fault));
          throw fault;
        }
      }),

    async withClient(work) {
      const client = await patience.run('write', connect);
      try {
        const value = await work(client);
        client.release();
        return value;
      } catch (fault) {
        client.release(true);
        if (fault instanceof StoreUnavailable) throw fault;
        throw new StoreUnavailable(`The PostgreSQL store failed: ${describePostgresFault(fault)}`);
      }
    },

    async close() {
      if (state.closed) return;
      state.closed = true;
      await pool.end();
    },
  };
}
