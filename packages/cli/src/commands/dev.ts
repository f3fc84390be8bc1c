import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { mkdir, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { startSnippetsServer } from '@valetkey/example-snippets';
import {
  CONTOSO_TENANT_ID,
  createEmulator,
  type Emulator,
  GATEWAY_CLIENT_ID,
} from '@valetkey/entra-emulator';
import type { Config } from '@valetkey/gateway/config/config';
import { loadConfig } from '@valetkey/gateway/config/load';
import { stringify } from 'yaml';
import { parseOptions, parsePort } from '../command-line.ts';
import { describeReady, type ReadyDetails } from '../ready-text.ts';
import { caFileName, describeSnippets, describeTrial, trialEnv } from '../trial-config.ts';
import { untilStopped } from '../until-stopped.ts';
import { UsageFault } from '../usage-fault.ts';
import { watchConfigFile } from '../watch-config-file.ts';
import { createWorld } from '../world.ts';
import { describeStartFault, runGateway } from './serve.ts';

const defaultPort = '8808';
const backendPath = '/snippets/mcp';
const callbackPath = '/auth/callback';
/** In the state directory. */
const configFileName = 'valetkey.yaml';

/** What is running, as `--json` prints it. */
export interface Ready {
  readonly issuer: string;
  readonly gateway: string;
  readonly emulator: string;
  readonly mcp: Readonly<Record<string, string>>;
  readonly users: readonly {
    readonly username: string;
    readonly password: string;
    readonly roles: readonly string[];
  }[];
}

/** `valetkey dev`: emulator, sample MCP server and gateway on loopback, seeded, until asked to stop. */
export async function dev(args: string[]): Promise<number> {
  const options = parseOptions(args, {
    port: { type: 'string', default: defaultPort },
    state: { type: 'string', default: '.valetkey' },
    store: { type: 'string' },
    upstream: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  const stopped = untilStopped();
  const port = parsePort(options.port);
  try {
    const running = await startDev({
      port: port === 0 ? await findFreePort() : port,
      stateDirectory: resolve(options.state),
      ...(options.store === undefined ? {} : { store: options.store }),
      ...(options.upstream === undefined ? {} : { upstream: options.upstream }),
    });
    process.stdout.write(
      options.json ? `${JSON.stringify(running.ready)}\n` : describeReady(running.ready, running.details),
    );
    await stopped;
    await running.close();
    return 0;
  } catch (fault) {
    const reason = describeStartFault(fault);
    if (reason === undefined) throw fault;
    process.stderr.write(`valetkey: ${reason}\n`);
    return 1;
  }
}

interface DevOptions {
  readonly port: number;
  readonly stateDirectory: string;
  readonly store?: string;
  /** The MCP endpoint of a server of the developer's own. */
  readonly upstream?: string;
}

/** Starts the three servers; when one fails, those that run are closed again. */
async function startDev(
  options: DevOptions,
): Promise<{ readonly ready: Ready; readonly details: ReadyDetails; close(): Promise<void> }> {
  await mkdir(options.stateDirectory, { recursive: true, mode: 0o700 });
  const publicUrl = `http://localhost:${options.port}`;
  const opened: { close(): Promise<void> }[] = [];
  const close = async () => {
    for (const each of opened.toReversed()) await each.close();
  };
  try {
    const emulator = await createEmulator();
    opened.push(emulator);
    const functionKey = randomBytes(24).toString('base64url');
    const snippets = await startSnippetsServer({
      port: 0,
      directory: join(options.stateDirectory, 'snippets'),
      identity: { issuer: publicUrl, audience: `${publicUrl}${backendPath}`, jwksUrl: `${publicUrl}/jwks` },
      functionKey,
    });
    opened.push(snippets);
    const { file, config } = await devConfig(options, {
      publicUrl,
      emulator,
      upstream: snippets.url,
      functionKey,
    });
    const { stateDirectory } = options;
    const world = createWorld('warn', join(stateDirectory, 'gateway.log'));
    const gateway = await runGateway(config, world);
    opened.push(gateway);
    const watch = watchConfigFile(file, (next) => gateway.reload(next), world.log);
    opened.push({ close: async () => watch.stop() });
    return {
      ready: describe(config, emulator),
      details: { notes: notesOf(emulator), stateDirectory },
      close,
    };
  } catch (fault) {
    await close();
    throw fault;
  }
}

/** The configuration goes through the same door as an operator's file. */
async function devConfig(
  { stateDirectory, store, port, upstream }: DevOptions,
  parts: { publicUrl: string; emulator: Emulator; upstream: string; functionKey: string },
) {
  const { emulator, publicUrl } = parts;
  emulator.control.addRedirectUri(GATEWAY_CLIENT_ID, `${publicUrl}${callbackPath}`);
  await writeFile(join(stateDirectory, caFileName), emulator.caCertificatePem);
  const trial = describeTrial({
    publicUrl,
    emulator,
    directory: stateDirectory,
    ...(store === undefined ? {} : { store }),
    backends: {
      snippets: describeSnippets(parts.upstream),
      ...(upstream === undefined ? {} : { own: { title: 'Your MCP server', path: '/own/mcp', upstream } }),
    },
  });
  const text = stringify({ ...trial, listen: { host: '127.0.0.1', port } });
  const secrets = { ...trialEnv, FUNCTION_KEY: parts.functionKey };
  const file = await writeConfigFile(stateDirectory, text, secrets);
  const loaded = loadConfig({ source: { file }, env: {} });
  if (!loaded.ok)
    throw new UsageFault(loaded.error.map(({ path, problem }) => `${path}: ${problem}`).join('; '));
  return { file, config: loaded.value };
}

/** With its secrets in files beside it, so that other commands can be given it: `valetkey sessions list --config …`. */
async function writeConfigFile(directory: string, text: string, secrets: Readonly<Record<string, string>>) {
  const nameOf = (variable: string) => `${variable.toLowerCase().replaceAll('_', '-')}.txt`;
  for (const [variable, secret] of Object.entries(secrets))
    await writeFile(join(directory, nameOf(variable)), secret, { mode: 0o600 });
  const file = join(directory, configFileName);
  await writeFile(
    file,
    text.replaceAll(/env:([A-Z_]+)/g, (_, name: string) => `file:./${nameOf(name)}`),
  );
  return file;
}

function describe({ publicUrl, backends }: Config, emulator: Emulator): Ready {
  return {
    issuer: publicUrl,
    gateway: publicUrl,
    emulator: emulator.httpOrigin,
    mcp: Object.fromEntries(backends.map(({ name, resource }) => [name, resource])),
    users: describeUsers(emulator),
  };
}

/** What the account picker says of a person, without the roles, which stand beside it. */
function notesOf({ seed }: Emulator): ReadonlyMap<string, string> {
  const isRole = (part: string) => part.startsWith('Snippets.');
  const noteOf = (hint: string) =>
    hint
      .split(', ')
      .filter((part) => !isRole(part))
      .join(', ');
  return new Map(
    seed.tenants.flatMap(({ users }) => users.map(({ username, hint }) => [username, noteOf(hint)])),
  );
}

function describeUsers({ seed }: Emulator): Ready['users'] {
  const tenant = seed.tenants.find(({ tenantId }) => tenantId === CONTOSO_TENANT_ID);
  const app = tenant?.apps.find(({ clientId }) => clientId === GATEWAY_CLIENT_ID);
  const rolesOf = (username: string) =>
    app?.assignments?.find((each) => each.username === username)?.roles ?? [];
  return (tenant?.users ?? []).map(({ username, password }) => ({
    username,
    password,
    roles: rolesOf(username),
  }));
}

/** The gateway's address is part of its configuration, so it must be known before it listens. */
function findFreePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = probe.address();
      probe.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'));
        else resolvePort(address.port);
      });
    });
  });
}
