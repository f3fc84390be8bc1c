/** The driver for Redis and what speaks its protocol: one server, one watched by sentinels, or a cluster. */
import { asBuffer } from '@valetkey/core/base/bytes';
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { RedisStoreConfig } from '../config/config.ts';
import { type Driver, type DriverRecord, type KeyedRecord, StoreUnavailable } from './driver.ts';
import { createPatience, type Patience } from './patience.ts';
import { checkRedis, type RedisWarning } from './redis-check.ts';
import { connectRedis, type RedisConnection } from './redis-connection.ts';
import { describeRedisFault, isLostRedis, isUnsentRedis } from './redis-faults.ts';
import { type Script, scripts } from './redis-scripts.ts';

export interface RedisOptions {
  readonly config: RedisStoreConfig;
  /** Decides what has expired; Redis's own clock is never asked. */
  readonly clock: Clock;
  /** The longest that a call may take. Default: five seconds. */
  readonly deadlineMs?: number;
  /** Told at opening where Redis is set up so that it could forget. */
  readonly warn?: (warning: RedisWarning) => void;
}

const pageSize = 200;

/**
 * Opens the driver. Each operation on a record is one Lua script and therefore one step; `list`, `deleteGroup`,
 * `scan` and `sweep` read an index first and then treat each record by itself.
 *
 * @throws StoreUnavailable from here and from every operation; its message holds no address, key or value.
 */
export async function openRedisDriver(options: RedisOptions): Promise<Driver> {
  const { config, clock, deadlineMs } = options;
  const patience = createPatience({
    engine: 'Redis',
    isUnsent: isUnsentRedis,
    isLost: isLostRedis,
    describe: describeRedisFault,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  const connection = await connectRedis(config).catch((fault: unknown) => {
    throw new StoreUnavailable(`The Redis store cannot be opened: ${describeRedisFault(fault)}`);
  });
  const driver = createRedisDriver(connection, patience, config.prefix, clock);
  try {
    const { prefix } = config;
    const send = (...args: string[]) =>
      patience.run('read', (signal) => connection.send(indexOf(prefix), args, signal));
    for (const warning of await checkRedis(send)) options.warn?.(warning);
  } catch (fault) {
    await driver.close();
    throw fault;
  }
  return driver;
}

function indexOf(prefix: string): string {
  return `{${prefix}}:index`;
}

function createRedisDriver(
  connection: RedisConnection,
  patience: Patience,
  prefix: string,
  clock: Clock,
): Driver {
  const index = indexOf(prefix);
  const expiries = `{${prefix}}:expiries`;
  const recordKey = (key: string) => `{${prefix}}:r:${key}`;
  const now = () => String(nowSeconds(clock));

  const run = (script: Script, key: string, ...args: (string | Buffer)[]) =>
    patience.run('write', (signal) =>
      connection.runScript(script, [recordKey(key), index, expiries], [key, ...args], signal),
    );
  const read = (...args: [command: string, key: string, ...rest: string[]]) =>
    patience.run('read', (signal) => connection.send(args[1], args, signal));
  const live = (stored: unknown): DriverRecord | undefined => {
    const record = readRecord(stored);
    const isGone = record?.expiresAtSeconds !== undefined && record.expiresAtSeconds <= nowSeconds(clock);
    return isGone ? undefined : record;
  };
  const get = async (key: string) => live(await read('HMGET', recordKey(key), 'v', 'e', 'g'));

  /** Members of the index that start with `name:`, without it, after the given one. */
  const readIndex = async (name: string, after: string | undefined): Promise<string[]> => {
    const start = after === undefined ? `[${name}:` : `(${name}:${after}`;
    // `;` is the character behind `:`.
    const found = await read('ZRANGEBYLEX', index, start, `(${name};`, 'LIMIT', '0', String(pageSize));
    return asTexts(found).map((member) => member.slice(name.length + 1));
  };
  async function* keysOf(group: string): AsyncGenerator<string[]> {
    for (let page = await readIndex(group, undefined); page.length > 0; ) {
      yield page;
      page = page.length < pageSize ? [] : await readIndex(group, page.at(-1));
    }
  }
  const getAll = async (keys: readonly string[]): Promise<KeyedRecord[]> => {
    const found = await Promise.all(keys.map(async (key) => ({ key, record: await get(key) })));
    return found.flatMap(({ key, record }) => (record === undefined ? [] : [{ key, record }]));
  };

  return {
    get,
    put: async (key, record) => void (await run(scripts.put, key, ...written(record))),
    create: async (key, record) => (await run(scripts.create, key, ...written(record), now())) === 1,
    replace: async (key, expected, record) =>
      (await run(scripts.replace, key, ...written(record), now(), asBuffer(expected))) === 1,
    take: async (key) => live(await run(scripts.take, key)),
    delete: async (key) => (await run(scripts.delete, key, now())) === 1,

    async list(group) {
      const records: KeyedRecord[] = [];
      for await (const keys of keysOf(encodeGroup(group))) {
        // The index may be a moment behind; what a record says of itself is what counts.
        const found = await getAll(keys);
        records.push(...found.filter(({ record }) => record.groups?.includes(group)));
      }
      return records;
    },

    async deleteGroup(group) {
      let deleted = 0;
      const name = encodeGroup(group);
      for await (const keys of keysOf(name)) {
        const outcomes = await Promise.all(keys.map((key) => run(scripts.deleteOfGroup, key, now(), name)));
        deleted += outcomes.filter((outcome) => outcome === 1).length;
      }
      return deleted;
    },

    async scan(cursor) {
      const keys = await readIndex('a', cursor);
      const next = keys.at(-1);
      const records = await getAll(keys);
      return keys.length < pageSize || next === undefined ? { records } : { records, next };
    },

    async sweep(limit) {
      const due = await read('ZRANGEBYSCORE', expiries, '-inf', now(), 'LIMIT', '0', String(limit));
      const outcomes = await Promise.all(asTexts(due).map((key) => run(scripts.deleteExpired, key, now())));
      return outcomes.filter((outcome) => outcome === 1).length;
    },

    ping: async () => void (await read('EXISTS', index)),
    close: () => connection.close(),
  };
}

/** Letters, digits, - and _ only: scripts part groups by commas and names from keys by a colon. */
function encodeGroup(group: string): string {
  return `g${Buffer.from(group).toString('base64url')}`;
}

function decodeGroup(name: string): string {
  return Buffer.from(name.slice(1), 'base64url').toString();
}

/** Value, expiry and groups, as the scripts take them. */
function written({ value, expiresAtSeconds, groups = [] }: DriverRecord): [Buffer, string, string] {
  const names = [...new Set(groups)].map(encodeGroup);
  return [asBuffer(value), expiresAtSeconds === undefined ? '' : String(expiresAtSeconds), names.join(',')];
}

/** From value, expiry and groups; undefined where there is no record. */
function readRecord(stored: unknown): DriverRecord | undefined {
  if (!Array.isArray(stored)) throw new TypeError('a record does not have the layout of the store');
  const [value, expiry, groups] = stored as unknown[];
  if (value === null || value === undefined) return undefined;
  if (!Buffer.isBuffer(value) || !Buffer.isBuffer(expiry) || !Buffer.isBuffer(groups))
    throw new TypeError('a record does not have the layout of the store');
  const names = groups.toString();
  return {
    value: new Uint8Array(value),
    ...(expiry.length === 0 ? {} : { expiresAtSeconds: Number(expiry.toString()) }),
    groups: names === '' ? [] : names.split(',').map(decodeGroup),
  };
}

function asTexts(reply: unknown): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}
