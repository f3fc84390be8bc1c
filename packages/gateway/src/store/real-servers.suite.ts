/**
 * Real Redis and PostgreSQL servers for tests: on free ports, in temporary folders, ended by their process ids.
 * The programs are those of Debian's packages `redis-server` and `postgresql`; where they are missing the tests
 * fail and say so (`tools/system-packages.ts` installs them for `npm test`).
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Secret } from '@valetkey/core/base/secret';
import type { StoreConfig } from '../config/config.ts';
import { parseStoreUrl } from '../config/store-url.ts';

export interface RealServer {
  /** Of the store, with its password. */
  readonly url: string;
  readonly port: number;
  readonly pid: () => number;
  /** SIGKILL: nothing is flushed, nobody is told. */
  kill(): Promise<void>;
  /** Again on the same port and the same data. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

/** How a test opens a driver: from an address, as the configuration would. */
export function storeConfigOf(url: string, more: Record<string, unknown> = {}): StoreConfig {
  const address = parseStoreUrl(url);
  if (!address.ok) throw new Error(address.error.problem);
  if (address.value.driver === 'sqlite') return address.value;
  const { password, ...rest } = address.value;
  return {
    ...rest,
    ...(rest.driver === 'redis' ? { prefix: 'valetkey' } : {}),
    ...(password === undefined ? {} : { password: new Secret(password) }),
    ...more,
  } as StoreConfig;
}

/** Ends a server whose test process was killed: its end of the pipe closes then, and the shell reads on to `kill`. */
function watchOver(child: ChildProcess): void {
  const guard = spawn('sh', ['-c', 'read -r _; kill -9 "$0"', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => {});
  guard.unref();
  child.once('close', () => guard.kill('SIGKILL'));
}

export async function findFreePorts(count: number): Promise<number[]> {
  const probes = Array.from({ length: count }, () => createServer());
  await Promise.all(probes.map((probe) => new Promise<void>((done) => probe.listen(0, '127.0.0.1', done))));
  const ports = probes.map((probe) => (probe.address() as AddressInfo).port);
  await Promise.all(probes.map((probe) => new Promise((done) => probe.close(done))));
  return ports;
}

export interface RedisServerOptions {
  /** Further arguments, such as `--maxmemory 1mb`. */
  readonly args?: readonly string[];
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
}

export async function startRedis({ args = [], tls }: RedisServerOptions = {}): Promise<RealServer> {
  const [port = 0] = await findFreePorts(1);
  const password = randomBytes(12).toString('hex');
  const listening =
    tls === undefined
      ? `--port ${port}`
      : `--port 0 --tls-port ${port} --tls-auth-clients no --tls-cert-file ${tls.certFile} --tls-key-file ${tls.keyFile}`;
  const server = await startProcess({
    port,
    prefix: 'valetkey-redis-',
    command: () => redisCommand(`${listening} --requirepass ${password}`, ...args),
  });
  return { ...server, url: `redis${tls === undefined ? '' : 's'}://:${password}@127.0.0.1:${port}` };
}

/** Told the port of a server before it starts. @returns the port that clients are sent to instead: of a proxy before it. */
export type AnnouncePort = (port: number) => Promise<number>;

const asItIs: AnnouncePort = async (port) => port;

export interface RedisCluster extends Pick<RealServer, 'url' | 'close'> {
  readonly nodes: readonly Omit<RealServer, 'url'>[];
}

/** Three masters without replicas. @returns the address of the cluster; closing ends all three. */
export async function startRedisCluster(announce = asItIs): Promise<RedisCluster> {
  const ports = await findFreePorts(6);
  const announced: string[] = [];
  const nodes = await Promise.all(
    [0, 1, 2].map(async (index) => {
      const port = ports[index] ?? 0;
      const announcedPort = await announce(port);
      announced.push(`127.0.0.1:${announcedPort}`);
      const cluster = `--cluster-enabled yes --cluster-port ${ports[index + 3]} --cluster-node-timeout 2000`;
      const told = `--cluster-announce-port ${announcedPort} --cluster-announce-bus-port ${ports[index + 3]}`;
      return startProcess({
        port,
        prefix: 'valetkey-cluster-',
        command: () => redisCommand(`--port ${port} ${cluster} ${announce === asItIs ? '' : told}`.trim()),
      });
    }),
  );
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const cli = findProgram('redis-cli', 'redis-tools');
  // Not in one go: it asks the nodes through the proxies of this process.
  await promisify(execFile)(cli, ['--cluster', 'create', ...addresses, '--cluster-yes']);
  const isReady = (port: number) =>
    execFileSync(cli, ['-p', `${port}`, 'cluster', 'info']).includes('cluster_state:ok');
  await until('the cluster', async () => nodes.every(({ port }) => isReady(port)));
  return {
    url: `redis+cluster://${announced.join(',')}`,
    nodes,
    close: async () => void (await Promise.all(nodes.map((node) => node.close()))),
  };
}

export interface RedisSentinelServers {
  readonly url: string;
  readonly master: RealServer;
  readonly replica: RealServer;
  /** Until the sentinels have made the replica the master. */
  untilFailedOver(): Promise<void>;
  /** Until all sentinels reach the master, and so tell clients of it. */
  untilWatched(): Promise<void>;
  close(): Promise<void>;
}

export interface RedisSentinelOptions {
  readonly announce?: AnnouncePort;
  /** How long a master may be silent before it is replaced. Default: 500. */
  readonly downAfterMs?: number;
}

/** A master with its replica, watched by two sentinels. */
export async function startRedisSentinel({
  announce = asItIs,
  downAfterMs = 500,
}: RedisSentinelOptions = {}): Promise<RedisSentinelServers> {
  const cli = findProgram('redis-cli', 'redis-tools');
  const ask = (port: number, ...args: string[]) => execFileSync(cli, ['-p', `${port}`, ...args]).toString();
  const startNode = async (more: readonly string[]) => {
    const [port = 0] = await findFreePorts(1);
    return startProcess({
      port,
      prefix: 'valetkey-sentinel-',
      command: () => redisCommand(`--port ${port}`, ...more),
    });
  };
  const master = await startNode([]);
  const masterPort = await announce(master.port);
  const replica = await startNode(['--replicaof', `127.0.0.1 ${master.port}`]);
  await until('the replica', async () =>
    ask(replica.port, 'info', 'replication').includes('master_link_status:up'),
  );
  const sentinels = await Promise.all(
    (await findFreePorts(2)).map((port) =>
      startProcess({
        port,
        prefix: 'valetkey-sentinel-',
        command: (directory) => {
          const file = join(directory, 'sentinel.conf');
          const lines = [
            `port ${port}`,
            'bind 127.0.0.1',
            `sentinel monitor mymaster 127.0.0.1 ${masterPort} 2`,
            `sentinel down-after-milliseconds mymaster ${downAfterMs}`,
            'sentinel failover-timeout mymaster 3000',
          ];
          writeFileSync(file, `${lines.join('\n')}\n`);
          return [findProgram('redis-server', 'redis-server'), file, '--sentinel'];
        },
      }),
    ),
  );
  const [watcher = 0] = sentinels.map(({ port }) => port);
  await until('the sentinels', async () => {
    const about = ask(watcher, 'sentinel', 'master', 'mymaster');
    return /num-slaves\n1\n/.test(about) && /num-other-sentinels\n1\n/.test(about);
  });
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/mymaster`,
    master: { ...master, url: '' },
    replica: { ...replica, url: '' },
    untilWatched: () =>
      until('the sentinels', async () =>
        sentinels.every(({ port }) => /\nflags\nmaster\n/.test(ask(port, 'sentinel', 'master', 'mymaster'))),
      ),
    untilFailedOver: () =>
      until(
        'the failover',
        async () => ask(replica.port, 'info', 'replication').includes('role:master'),
        20_000,
      ),
    close: async () => {
      await Promise.all(sentinels.map((sentinel) => sentinel.close()));
      await Promise.all([master.close(), replica.close()]);
    },
  };
}

export interface PostgresServerOptions {
  readonly tls?: { readonly certPem: string; readonly keyPem: string };
}

/** An own cluster of databases, without a unix socket. PostgreSQL refuses to run as root, so root lends it another account. */
export async function startPostgres({ tls }: PostgresServerOptions = {}): Promise<RealServer> {
  const [port = 0] = await findFreePorts(1);
  const password = randomBytes(12).toString('hex');
  const account = findAccount();
  const own = (path: string) => {
    if (account.uid !== undefined) chownSync(path, account.uid, account.gid ?? account.uid);
  };
  const server = await startProcess({
    port,
    prefix: 'valetkey-postgres-',
    account,
    prepare(directory) {
      own(directory);
      const passwordFile = join(directory, 'password');
      writeFileSync(passwordFile, password, { mode: 0o600 });
      own(passwordFile);
      const data = join(directory, 'data');
      const about = ['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', passwordFile];
      const initdb = findProgram('initdb', 'postgresql', postgresFolders());
      execFileSync(initdb, [...about, '--no-sync', '-E', 'UTF8', '--locale=C'], {
        ...account,
        cwd: directory,
        stdio: 'pipe',
      });
      for (const [name, pem] of Object.entries({ 'server.crt': tls?.certPem, 'server.key': tls?.keyPem })) {
        if (pem === undefined) continue;
        writeFileSync(join(data, name), pem, { mode: 0o600 });
        own(join(data, name));
      }
    },
    // What is killed is a process, not the machine: what it wrote is there, synced or not.
    command: (directory) => [
      findProgram('postgres', 'postgresql', postgresFolders()),
      ...`-D ${directory}/data -p ${port} -h 127.0.0.1 -c unix_socket_directories= -c fsync=off`.split(' '),
      ...`-c ssl=${tls === undefined ? 'off' : 'on'} -c max_connections=60`.split(' '),
    ],
    isReady: (output) => output.includes('database system is ready to accept connections'),
  });
  const query = tls === undefined ? '' : '?sslmode=verify-full';
  return { ...server, url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres${query}` };
}

function redisCommand(options: string, ...more: readonly string[]): string[] {
  const program = findProgram('redis-server', 'redis-server');
  return [program, ...`${options} --bind 127.0.0.1 --appendonly yes`.split(' '), ...more];
}

interface ProcessOptions {
  readonly port: number;
  readonly prefix: string;
  readonly account?: Account;
  readonly prepare?: (directory: string) => void;
  readonly command: (directory: string) => readonly string[];
  /** From what it has printed since its start; default: the port takes connections. */
  readonly isReady?: (output: string) => boolean;
}

interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

async function startProcess(options: ProcessOptions): Promise<Omit<RealServer, 'url'>> {
  const directory = mkdtempSync(join(tmpdir(), options.prefix));
  options.prepare?.(directory);
  const state: { child?: ChildProcess } = {};

  /** @returns whether it is up; false: it ended by itself, which a lock of its predecessor can make it do. */
  async function attempt(): Promise<boolean> {
    const [program = '', ...args] = options.command(directory);
    const child = spawn(program, args, {
      ...options.account,
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    watchOver(child);
    const seen = { output: '', ended: false };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        seen.output = (seen.output + text).slice(-20_000);
      });
    }
    child.once('close', () => {
      seen.ended = true;
    });
    state.child = child;
    const isReady = async () =>
      options.isReady === undefined ? acceptsConnections(options.port) : options.isReady(seen.output);
    await until(
      program,
      async () => seen.ended || (await isReady()),
      20_000,
      () => seen.output,
    );
    return !seen.ended;
  }

  async function start(): Promise<void> {
    await until('a server', attempt, 20_000);
  }
  async function kill(): Promise<void> {
    const { child } = state;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('close', done));
    child.kill('SIGKILL');
    await ended;
  }

  await start();
  return {
    port: options.port,
    pid: () => state.child?.pid ?? 0,
    start,
    kill,
    async close() {
      await kill();
      // Children of PostgreSQL notice a moment later, and may still write.
      await until('the end of its children', async () => {
        try {
          rmSync(directory, { recursive: true, force: true });
          return true;
        } catch {
          return false;
        }
      });
    },
  };
}

function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean) => {
      socket.destroy();
      settle(answer);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}

export async function until(
  what: string,
  isSo: () => Promise<boolean>,
  timeoutMs = 40_000,
  describe: () => string = () => '',
): Promise<void> {
  const startedMs = performance.now();
  while (!(await isSo())) {
    if (performance.now() - startedMs > timeoutMs)
      throw new Error(`${what} is not ready within ${timeoutMs} ms ${describe()}`);
    await wait(20);
  }
}

function findProgram(name: string, debianPackage: string, first: readonly string[] = []): string {
  const folders = [...first, ...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin'];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined)
    throw new Error(
      `${name} is missing: install the package ${debianPackage} (npm test does so as root on Debian)`,
    );
  return found;
}

/** Debian keeps the servers of each version in a folder of their own; the newest first. */
function postgresFolders(): string[] {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(base, version, 'bin'));
}

function findAccount(): Account {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    try {
      const idOf = (flag: string) => Number(execFileSync('id', [flag, name], { stdio: 'pipe' }).toString());
      return { uid: idOf('-u'), gid: idOf('-g') };
    } catch {
      // No such account.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is no account postgres or nobody');
}
