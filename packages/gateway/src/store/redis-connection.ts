/** One way to talk to Redis, whichever its topology. Nothing is queued for a server that is away. */
import { createClient, createCluster, createSentinel, RESP_TYPES } from 'redis';
import type { RedisStoreConfig } from '../config/config.ts';
import { isLastingRedis } from './redis-faults.ts';
import type { Script } from './redis-scripts.ts';

export interface RedisConnection {
  /** @param key decides the node of a cluster. Texts come back as buffers. */
  send(key: string, args: readonly (string | Buffer)[], signal: AbortSignal): Promise<unknown>;
  runScript(
    script: Script,
    keys: readonly [string, ...string[]],
    args: readonly (string | Buffer)[],
    signal: AbortSignal,
  ): Promise<unknown>;
  close(): Promise<void>;
}

const connectTimeoutMs = 3_000;
/** Silence for this long, in spite of the pings, is a dead connection: TCP alone would wait for many minutes. */
const silenceMs = 6_000;
const pingIntervalMs = 2_000;
const longestReconnectPauseMs = 1_000;
/** Commands under way on one connection; the next are refused. */
const maxCommands = 10_000;

type SendCommand = (
  key: string,
  args: (string | Buffer)[],
  options: { readonly abortSignal: AbortSignal },
) => Promise<unknown>;

/** @throws whatever the first connection meets; the reason is for `redis-faults.ts`. */
export async function connectRedis(config: RedisStoreConfig): Promise<RedisConnection> {
  const { send, close } = await openers[config.topology](config);
  return {
    send: (key, args, signal) => send(key, [...args], { abortSignal: signal }),
    async runScript({ source, sha1 }, keys, args, signal) {
      const rest = [String(keys.length), ...keys, ...args];
      try {
        return await send(keys[0], ['EVALSHA', sha1, ...rest], { abortSignal: signal });
      } catch (fault) {
        if (!(fault instanceof Error) || !fault.message.startsWith('NOSCRIPT')) throw fault;
        return send(keys[0], ['EVAL', source, ...rest], { abortSignal: signal });
      }
    },
    close,
  };
}

interface Opened {
  readonly send: SendCommand;
  close(): Promise<void>;
}

const openers = { single: openSingle, sentinel: openSentinel, cluster: openCluster } as const;

async function openSingle(config: RedisStoreConfig): Promise<Opened> {
  const [address] = config.hosts;
  const client = createClient({
    ...clientOptions(config),
    database: config.database,
    socket: { ...socketOptions(config), ...address },
    commandOptions,
  });
  await openOrDestroy(client);
  return { send: (_key, args, options) => client.sendCommand(args, options), close: closing(client) };
}

async function openCluster(config: RedisStoreConfig): Promise<Opened> {
  const defaults = { ...clientOptions(config), socket: socketOptions(config) };
  const cluster = createCluster({
    rootNodes: config.hosts.map((address) => ({ ...defaults, socket: { ...defaults.socket, ...address } })),
    defaults,
    minimizeConnections: true,
    topologyRefreshOnReconnectionAttemptStrategy: 500,
    commandOptions,
  });
  await openOrDestroy(cluster);
  return {
    send: (key, args, options) => cluster.sendCommand(key, false, args, options),
    close: closing(cluster),
  };
}

async function openSentinel(config: RedisStoreConfig): Promise<Opened> {
  const { sentinelPassword } = config;
  const shared = { ...clientOptions(config), socket: socketOptions(config) };
  const sentinel = createSentinel({
    name: config.masterName ?? '',
    sentinelRootNodes: config.hosts.map((address) => ({ ...address })),
    nodeClientOptions: { ...shared, database: config.database },
    sentinelClientOptions: {
      socket: shared.socket,
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword.reveal() }),
    },
    scanInterval: 1_000,
    // Its own repetition does not ask whether a command was executed before the connection went: a code taken twice.
    maxCommandRediscovers: 0,
    commandOptions,
  });
  await openOrDestroy(sentinel);
  return {
    send: (_key, args, options) => sentinel.sendCommand(false, args, options),
    close: closing(sentinel),
  };
}

const commandOptions = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } } as const;

function clientOptions({ username, password }: RedisStoreConfig) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: password.reveal() }),
    disableOfflineQueue: true,
    commandsQueueMaxLength: maxCommands,
    pingInterval: pingIntervalMs,
    maintNotifications: 'disabled' as const,
    clientInfoTag: 'valetkey',
  };
}

function socketOptions({ tls, caPem }: RedisStoreConfig) {
  const common = {
    connectTimeout: connectTimeoutMs,
    socketTimeout: silenceMs,
    // For ever, with pauses that stay short: calls give up by themselves, the gateway does not.
    reconnectStrategy: (retries: number) => Math.min(50 * 2 ** Math.min(retries, 5), longestReconnectPauseMs),
  };
  if (!tls) return common;
  return { ...common, tls: true as const, ...(caPem === undefined ? {} : { ca: [caPem] }) };
}

function ignore(): void {}

interface Closable {
  connect(): Promise<unknown>;
  destroy(): void | Promise<void>;
  on(event: 'error', listener: (fault: unknown) => void): unknown;
}

/**
 * The first connection is given up after a while, and at once where waiting does not help, so that a wrong address
 * or a wrong password is told at start.
 */
async function openOrDestroy(client: Closable): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const last: { fault: unknown } = { fault: new Error('no connection') };
  const timer = setTimeout(() => reject(last.fault), connectTimeoutMs);
  // Stays for good: without a listener an `error` event would end the process.
  client.on('error', (fault) => {
    last.fault = fault;
    if (isLastingRedis(fault)) reject(fault);
  });
  try {
    const connecting = client.connect();
    connecting.catch(ignore);
    late.catch(ignore);
    await Promise.race([connecting, late]);
  } catch (fault) {
    await client.destroy();
    throw fault;
  } finally {
    clearTimeout(timer);
  }
}

function closing(client: Closable): () => Promise<void> {
  const state = { closed: false };
  return async () => {
    if (state.closed) return;
    state.closed = true;
    await client.destroy();
  };
}
