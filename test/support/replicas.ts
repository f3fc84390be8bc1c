/**
 * Two gateways on one store and one key file, behind one public address: a load balancer that takes them in turn, or
 * the one that `x-replica` names. With the clock, the network monotonic time and the store's driver in the test's hands.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createEmulator,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  type Seed,
} from '@valetkey/entra-emulator';
import { startSnippetsServer } from '@valetkey/example-snippets';
import { createGateway } from '@valetkey/gateway';
import { type Administration, openAdministration } from '@valetkey/gateway/administration';
import type { Config } from '@valetkey/gateway/config/config';
import { loadConfig } from '@valetkey/gateway/config/load';
import { closeGracefully, createHttpServer, listen } from '@valetkey/gateway/http/server';
import { type Driver, StoreUnavailable } from '@valetkey/gateway/store/driver';
import type { World } from '@valetkey/gateway/world';
import { pino } from 'pino';
import { describeEntra } from 'valetkey/trial-config';
import { stringify } from 'yaml';
import { type Person, snippetsBackend } from './product.ts';
import { readAuditFile } from './audit-file.ts';

export interface Replicas {
  readonly url: string;
  readonly mcpUrl: string;
  readonly config: Config;
  readonly emulator: Emulator;
  readonly directory: string;
  /** The wall clock of both, and the clock that nobody sets. */
  readonly time: { aheadMs: number; monotonicAheadMs: number };
  /** `failingPut`, `failingReplace`: the collection whose writes fail, or whose changes do; `failingOn`: only there. */
  readonly store: {
    reads: number;
    isDown: boolean;
    failingPut: string | undefined;
    failingReplace: string | undefined;
    failingOn: number | undefined;
    /** The collection that something was created in last. */
    lastCreated: string;
  };
  readonly logLines: string[];
  person(part: string): Person;
  readAudit(): Promise<Record<string, unknown>[]>;
  /** What the command line opens: beside the replicas, on their store. */
  administer<Value>(work: (administration: Administration) => Promise<Value>): Promise<Value>;
  close(): Promise<void>;
}

export interface ReplicasOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly seed?: Seed;
}

const functionKey = 'a-function-key-for-tests-only';
const plenty = { requests: 100_000, windowSeconds: 60 };

export async function startReplicas(options: ReplicasOptions = {}): Promise<Replicas> {
  const directory = await mkdtemp(join(tmpdir(), 'valetkey-replicas-'));
  const emulator = await createEmulator(options.seed === undefined ? {} : { seed: options.seed });
  const listeners: RequestListener[] = [];
  let turn = 0;
  const server = createHttpServer(
    (req, res) => {
      const named = req.headers['x-replica'];
      turn += 1;
      listeners[(named === undefined ? turn : Number(named)) % listeners.length]?.(req, res);
    },
    { requestTimeoutMs: 30_000 },
  );
  const { port } = await listen(server, '127.0.0.1', 0);
  const url = `http://localhost:${port}`;
  emulator.control.addRedirectUri(GATEWAY_CLIENT_ID, `${url}/auth/callback`);
  const mcpUrl = `${url}/snippets/mcp`;
  const snippets = await startSnippetsServer({
    port: 0,
    directory: join(directory, 'snippets'),
    identity: { issuer: url, audience: mcpUrl, jwksUrl: `${url}/jwks` },
    functionKey,
  });
  const caFile = join(directory, 'ca.pem');
  await writeFile(caFile, emulator.caCertificatePem);
  const loaded = loadConfig({
    source: {
      text: stringify({
        publicUrl: url,
        entra: describeEntra(emulator, caFile),
        store: `sqlite:${join(directory, 'valetkey.db')}`,
        keys: { file: join(directory, 'keys.json') },
        audit: { stdout: false, file: join(directory, 'audit.jsonl') },
        limits: { register: plenty, authorize: plenty, consent: plenty, token: plenty },
        backends: { snippets: snippetsBackend(snippets.url) },
        ...options.config,
      }),
    },
    baseDirectory: directory,
    env: { CLIENT_SECRET: GATEWAY_CLIENT_SECRET, FUNCTION_KEY: functionKey },
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const config = loaded.value;

  const time = { aheadMs: 0, monotonicAheadMs: 0 };
  const store: Replicas['store'] = {
    reads: 0,
    isDown: false,
    failingPut: undefined,
    failingReplace: undefined,
    failingOn: undefined,
    lastCreated: '',
  };
  const logLines: string[] = [];
  const world: World = {
    clock: { nowMs: () => Date.now() + time.aheadMs },
    random: (size) => randomBytes(size),
    log: pino({ level: 'debug' }, { write: (line: string) => void logLines.push(line) }),
  };
  const monotonicMs = () => performance.now() + time.monotonicAheadMs;
  const open = (index: number) =>
    createGateway(config, world, { monotonicMs, wrapDriver: (driver) => watch(driver, store, index) });
  const gateways = [await open(0), await open(1)];
  listeners.push(...gateways.map(({ listener }) => listener));

  return {
    url,
    mcpUrl,
    config,
    emulator,
    directory,
    time,
    store,
    logLines,
    person(part) {
      const users = emulator.seed.tenants.flatMap((tenant) => tenant.users);
      const found = users.find(({ displayName }) => displayName.toLowerCase().includes(part));
      if (found === undefined) throw new Error(`no seeded user like ${part}`);
      return found;
    },
    readAudit: () => readAuditFile(join(directory, 'audit.jsonl')),
    async administer(work) {
      const opened = await openAdministration(config, world);
      if (!opened.ok) throw new Error(opened.error.problem);
      try {
        return await work(opened.value);
      } finally {
        await opened.value.close();
      }
    },
    async close() {
      store.isDown = false;
      await closeGracefully(server, 200);
      for (const gateway of gateways) await gateway.close();
      await snippets.close();
      await emulator.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const reading = new Set(['get', 'list', 'take', 'scan']);

/** Counts reads, and fails everything while the store is said to be down. */
function watch(driver: Driver, store: Replicas['store'], index: number): Driver {
  const watched = Object.entries(driver).map(([name, work]) => [
    name,
    async (...args: unknown[]) => {
      const failing = { put: store.failingPut, replace: store.failingReplace }[name];
      const isHere = store.failingOn === undefined || store.failingOn === index;
      const isFailing = isHere && failing !== undefined && String(args[0]).startsWith(failing);
      if (isFailing || (store.isDown && name !== 'close')) throw new StoreUnavailable('down for the test');
      if (reading.has(name)) store.reads += 1;
      if (name === 'create') store.lastCreated = String(args[0]).split(':', 1)[0] ?? '';
      return (work as (...args: unknown[]) => Promise<unknown>)(...args);
    },
  ]);
  return Object.fromEntries(watched) as Driver;
}
