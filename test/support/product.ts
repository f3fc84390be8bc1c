/**
 * The whole product inside the test's own process: emulator, snippets server and gateway on free ports, with the
 * emulator's control plane and the gateway's store and audit file at hand.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { IncomingMessage, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmulator, type Emulator, GATEWAY_CLIENT_ID } from '@valetkey/entra-emulator';
import { startSnippetsServer } from '@valetkey/example-snippets';
import { createGateway, type Gateway, type GatewayOptions } from '@valetkey/gateway';
import type { Config } from '@valetkey/gateway/config/config';
import { loadConfig } from '@valetkey/gateway/config/load';
import { openFastPath } from '@valetkey/gateway/fast-path/fast-path';
import { closeGracefully, createHttpServer, listen } from '@valetkey/gateway/http/server';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { caFileName, describeSnippets, describeTrial, trialEnv } from 'valetkey/trial-config';
import { readAuditFile } from './audit-file.ts';

export interface Person {
  readonly username: string;
  readonly password: string;
}

export interface Product {
  readonly url: string;
  readonly mcpUrl: string;
  readonly config: Config;
  readonly emulator: Emulator;
  readonly people: Readonly<
    Record<'reader' | 'writer' | 'admin' | 'guest' | 'disabled' | 'overage' | 'norole', Person>
  >;
  readonly directory: string;
  /** The configuration as a file, for commands, and the environment that it refers to. */
  readonly configFile: string;
  readonly env: Readonly<Record<string, string>>;
  /** The gateway's clock: move it forward to let things expire. */
  readonly time: { aheadMs: number };
  /** Audit records so far. */
  readAudit(): Promise<Record<string, unknown>[]>;
  /** Gateways behind the one address: requests go to them in turn, unless a test says to which. */
  readonly replicas: Replicas;
  /** What answers at `url`, for another server before the same gateways. */
  readonly listener: RequestListener;
  /** Requests so far, by who has read them: the fast path, or Node. */
  readonly taken: { readonly fast: number; readonly slow: number };
  /** Puts a changed configuration into effect. @param more sections in place of those that the product began with. */
  reload(more: Readonly<Record<string, unknown>>): Promise<void>;
  /** The metrics of the first gateway. */
  readonly collect: Gateway['collect'];
  /** Everything the gateway logged. */
  readonly logLines: string[];
  close(): Promise<void>;
}

export interface Replicas {
  /** All requests from now on go to this one; undefined: in turn. */
  only: number | undefined;
  /** Which of them answered, request by request: `0 GET /authorize`. */
  readonly served: string[];
}

export interface ProductOptions {
  /** Merged over the configuration, section by section. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly backends?: (snippetsUrl: string) => Record<string, unknown>;
  readonly gateway?: GatewayOptions;
  /** Of a product that was closed, to go on with its keys and data. Default: a new one, removed at closing. */
  readonly directory?: string;
  /** Likewise its port, which is part of the issuer. */
  readonly port?: number;
  /** How many gateways share store, keys and address. Default: one. */
  readonly replicas?: number;
  /** Beside what the configuration refers to anyway. */
  readonly env?: Readonly<Record<string, string>>;
  /** Backends other than the snippets server, by their URL: told in `backends`. */
  readonly emulator?: Emulator;
}

export const snippetsBackend = describeSnippets;

const functionKey = 'a-function-key-for-tests-only';

export async function startProduct(options: ProductOptions = {}): Promise<Product> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'valetkey-test-')));
  const closers: (() => Promise<void>)[] = [];
  if (options.directory === undefined) closers.push(() => rm(directory, { recursive: true, force: true }));
  const emulator = options.emulator ?? (await createEmulator());
  if (options.emulator === undefined) closers.push(() => emulator.close());

  const listeners: RequestListener[] = [];
  const replicas: Replicas = { only: undefined, served: [] };
  const gateways: Gateway[] = [];
  const taken = { fast: 0, slow: 0 };
  const serveOne: RequestListener = (req, res) => {
    taken[req instanceof IncomingMessage ? 'slow' : 'fast'] += 1;
    const index = replicas.only ?? replicas.served.length % Math.max(listeners.length, 1);
    replicas.served.push(`${index} ${req.method} ${req.url?.split('?')[0]}`);
    const chosen = listeners[index];
    if (chosen === undefined) res.writeHead(503).end();
    else chosen(req, res);
  };
  const server = createHttpServer(serveOne, { requestTimeoutMs: 30_000 });
  openFastPath(server, { isServed: (path) => gateways.some((gateway) => gateway.isMcpPath(path)) });
  const { port } = await listen(server, '127.0.0.1', options.port ?? 0);
  const url = `http://localhost:${port}`;
  const mcpUrl = `${url}/snippets/mcp`;
  emulator.control.addRedirectUri(GATEWAY_CLIENT_ID, `${url}/auth/callback`);

  const snippets = await startSnippetsServer({
    port: 0,
    directory: join(directory, 'snippets'),
    identity: { issuer: url, audience: mcpUrl, jwksUrl: `${url}/jwks` },
    functionKey,
  });
  closers.push(() => snippets.close());

  await writeFile(join(directory, caFileName), emulator.caCertificatePem);
  const configFile = join(directory, 'valetkey.yaml');
  const env = { ...trialEnv, FUNCTION_KEY: functionKey, ...options.env };
  const backends = options.backends?.(snippets.url) ?? { snippets: snippetsBackend(snippets.url) };
  const trial = describeTrial({ publicUrl: url, emulator, directory, backends });
  async function writeConfig(more: Readonly<Record<string, unknown>>): Promise<Config> {
    await writeFile(configFile, stringify({ ...trial, limits: generousLimits, ...options.config, ...more }));
    const read = loadConfig({ source: { file: configFile }, env });
    if (!read.ok) throw new Error(JSON.stringify(read.error));
    return read.value;
  }
  const config = await writeConfig({});

  const time = { aheadMs: 0 };
  const logLines: string[] = [];
  const world = {
    clock: { nowMs: () => Date.now() + time.aheadMs },
    random: (size: number) => randomBytes(size),
    log: pino({ level: 'debug' }, { write: (line: string) => void logLines.push(line) }),
  };
  for (let index = 0; index < (options.replicas ?? 1); index += 1) {
    gateways.push(await createGateway(config, world, options.gateway));
  }
  listeners.push(...gateways.map(({ listener }) => listener));
  closers.push(async () => {
    await closeGracefully(server, 200);
    await Promise.all(gateways.map((gateway) => gateway.close()));
  });

  return {
    url,
    mcpUrl,
    config,
    emulator,
    people: peopleOf(emulator),
    directory,
    configFile,
    env,
    time,
    replicas,
    listener: serveOne,
    taken,
    async reload(more) {
      const changed = await writeConfig(more);
      for (const gateway of gateways) {
        const reloaded = await gateway.reload(changed);
        if (!reloaded.ok) throw new Error(JSON.stringify(reloaded.error));
      }
    },
    collect: async () => (await gateways[0]?.collect()) ?? [],
    logLines,
    readAudit: () => readAuditFile(join(directory, 'audit.jsonl')),
    async close() {
      for (const close of closers.toReversed()) await close();
    },
  };
}

/** The limits of the configuration are tested by themselves; elsewhere they must not be in the way. */
export const generousLimits = Object.fromEntries(
  ['register', 'authorize', 'consent', 'token'].map((name) => [
    name,
    { requests: 10_000, windowSeconds: 60 },
  ]),
);

export function peopleOf(emulator: Emulator): Product['people'] {
  const users = emulator.seed.tenants.flatMap((tenant) => tenant.users);
  const find = (part: string): Person => {
    const user = users.find(({ username, displayName }) =>
      `${username} ${displayName}`.toLowerCase().includes(part),
    );
    if (user === undefined) throw new Error(`no seeded user like ${part}`);
    return user;
  };
  return {
    reader: find('reader'),
    writer: find('writer'),
    admin: find('admin'),
    guest: find('guest'),
    disabled: find('disabled'),
    overage: find('overage'),
    norole: find('norole'),
  };
}
