/** Everything that a store holds, as whoever stole it would have it: files, keys, values and rows, byte by byte. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresStoreConfig, RedisStoreConfig, StoreConfig } from '../config/config.ts';
import { openPostgresPool } from './postgres-pool.ts';
import { connectRedis } from './redis-connection.ts';

export function readStoredBytes(config: StoreConfig): Promise<Buffer> {
  if (config.driver === 'redis') return readRedis(config);
  return config.driver === 'postgres' ? readPostgres(config) : Promise.resolve(readSqlite(config.path));
}

function readSqlite(file: string): Buffer {
  // The journal too: what was overwritten in the file may still stand there.
  return Buffer.concat([file, `${file}-wal`, `${file}-shm`].map((path) => readFileSync(path)));
}

/** Keys and values as commands give them, then the snapshot and the log of changes as they lie on the disk. */
async function readRedis(config: RedisStoreConfig): Promise<Buffer> {
  const connection = await connectRedis(config);
  const { signal } = new AbortController();
  const send = (...args: (string | Buffer)[]) => connection.send('', args, signal);
  const found: Buffer[] = [];
  try {
    for (const key of (await send('KEYS', '*')) as Buffer[]) {
      const type = String(await send('TYPE', key));
      const read = readers[type];
      if (read === undefined) throw new Error(`a key of type ${type}, which nobody reads here`);
      found.push(key, ...buffersOf(await send(...read(key))));
    }
    const { dir } = (await send('CONFIG', 'GET', 'dir')) as { dir: Buffer };
    // Compressed, a text would stand there and not be found.
    await send('CONFIG', 'SET', 'rdbcompression', 'no');
    await send('SAVE');
    found.push(...filesBelow(String(dir)));
  } finally {
    await connection.close();
  }
  return Buffer.concat(found);
}

const readers: Readonly<Record<string, (key: Buffer) => (string | Buffer)[]>> = {
  string: (key) => ['GET', key],
  hash: (key) => ['HGETALL', key],
  set: (key) => ['SMEMBERS', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
};

function filesBelow(directory: string): Buffer[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
}

/** All rows of all tables that are ours: bytes as bytes, all else as its text. */
async function readPostgres(config: PostgresStoreConfig): Promise<Buffer> {
  const pool = openPostgresPool(config);
  try {
    return await pool.withClient(async (client) => {
      const tables = await client.query<{ name: string }>(
        `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
      );
      const found: Buffer[] = [];
      for (const { name } of tables.rows) {
        const { rows } = await client.query<Record<string, unknown>>(`SELECT * FROM ${name}`);
        found.push(...rows.flatMap((row) => buffersOf(Object.values(row))));
      }
      return Buffer.concat(found);
    });
  } finally {
    await pool.close();
  }
}

function buffersOf(value: unknown): Buffer[] {
  if (Buffer.isBuffer(value)) return [value];
  if (Array.isArray(value)) return value.flatMap(buffersOf);
  if (typeof value === 'object' && value !== null) return Object.entries(value).flatMap(buffersOf);
  return [Buffer.from(String(value))];
}
