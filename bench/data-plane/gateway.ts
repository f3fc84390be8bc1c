/**
 * The gateway as `valetkey serve` runs it, with everything on: sealed access tokens of real sign-ins, a rule for the
 * tool that is called, the credential and the signed identity for the backend, an audit record of each call in a file,
 * and metrics. Its people sign in at an emulator that runs in the process of the bench.
 */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createEmulator,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
} from '@valetkey/entra-emulator';
import { describeEntra } from 'valetkey/trial-config';
import { stringify } from 'yaml';
import { repositoryRoot } from '../../test/support/command.ts';
import { findFreePort } from '../../test/support/free-port.ts';
import { createHttpBrowser } from '../../test/support/http-person.ts';
import { obtainTokens, registerClient, type Tokens } from '../../test/support/oauth-client.ts';
import { cores } from './machine.ts';
import { pause, type Running, start } from './running.ts';
import { openSubject, type Subject, type Surroundings } from './subject.ts';
import { type Address, addresses, callers } from './workload.ts';

export interface GatewayOptions {
  /** Run the sources; else what `npm run build` has built. */
  readonly fromSource: boolean;
  /** Folder for a CPU profile of each process. */
  readonly profileTo?: string;
}

export interface MeasuredGateway extends Subject {
  readonly url: string;
  /** Signs somebody in. */
  signIn(address: Address): Promise<Tokens>;
  /** Memory of its process after a full collection. */
  memory(): Promise<NodeJS.MemoryUsage>;
}

export async function openGateway(
  surroundings: Surroundings,
  options: GatewayOptions,
): Promise<MeasuredGateway> {
  const { directory } = surroundings;
  mkdirSync(directory, { recursive: true });
  const emulator = await createEmulator();
  const port = await findFreePort();
  const url = `http://localhost:${port}`;
  emulator.control.addRedirectUri(GATEWAY_CLIENT_ID, `${url}/auth/callback`);
  writeFileSync(join(directory, 'ca.pem'), emulator.caCertificatePem);
  writeFileSync(
    join(directory, 'valetkey.yaml'),
    stringify(configuration(url, port, emulator, surroundings)),
  );

  const signIn = async (address: Address) => {
    const person = emulator.seed.tenants.flatMap(({ users }) => users).find(isWriter);
    if (person === undefined) throw new Error('nobody in the seed may write');
    const target = { url, mcpUrl: `${url}${address}`, emulator };
    const browser = createHttpBrowser();
    const clientId = await registerClient(target);
    return obtainTokens(target, person, { browser, clientId, scope: `${nameOf(address)}.use` });
  };
  const signedIn = new Map<Address, Promise<readonly string[]>>();
  const tokens = (address: Address) => {
    const known = signedIn.get(address) ?? signInAll(address, signIn);
    signedIn.set(address, known);
    return known;
  };

  const subject = await openSubject('gateway', port, tokens, () => startGateway(directory, options));
  return {
    ...subject,
    url,
    signIn,
    async memory() {
      const { child } = subject.running();
      const answer = once(child, 'message');
      child.send('how are you');
      return (await answer)[0] as NodeJS.MemoryUsage;
    },
    async close() {
      await subject.close();
      await emulator.close();
    },
  };
}

/** One after the other: they share an emulator. */
async function signInAll(address: Address, signIn: (address: Address) => Promise<Tokens>): Promise<string[]> {
  const tokens: string[] = [];
  const people = address === '/call/mcp' ? callers : 1;
  while (tokens.length < people) tokens.push((await signIn(address)).accessToken);
  return tokens;
}

export async function startGateway(directory: string, options: GatewayOptions): Promise<Running> {
  const main = join(repositoryRoot, 'packages/cli', options.fromSource ? 'src/main.ts' : 'dist/main.js');
  const flags = [
    '--expose-gc',
    `--import=${join(import.meta.dirname, 'probe.mjs')}`,
    ...(options.fromSource ? ['--conditions=valetkey-source'] : []),
    ...(options.profileTo === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profileTo}`]),
  ];
  const running = start(process.execPath, [...flags, main, 'serve', '--config', 'valetkey.yaml'], {
    core: cores.subject,
    cwd: directory,
    ipc: true,
    env: { NODE_OPTIONS: '', CLIENT_SECRET: GATEWAY_CLIENT_SECRET, BACKEND_KEY: 'a-key-of-the-bench' },
  });
  const giveUpAtMs = performance.now() + 30_000;
  while (!running.said().includes('gateway ready')) {
    if (running.child.exitCode !== null || performance.now() > giveUpAtMs)
      throw new Error(`the gateway did not start: ${running.said()}`);
    await pause(5);
  }
  return running;
}

const rate = { requests: 1_000_000, windowSeconds: 60 };

function configuration(url: string, port: number, emulator: Emulator, { backendPort }: Surroundings) {
  return {
    publicUrl: url,
    listen: { host: '127.0.0.1', port },
    entra: describeEntra(emulator, './ca.pem'),
    store: 'sqlite:./valetkey.db',
    keys: { file: './keys.json' },
    // A run may take longer than an hour, and its tokens must not end before it.
    lifetimes: { accessTokenSeconds: 6 * 3600 },
    audit: { stdout: false, file: './audit.jsonl' },
    telemetry: { metrics: { prometheus: { listen: '127.0.0.1:0' } } },
    limits: { register: rate, authorize: rate, consent: rate, token: rate },
    backends: Object.fromEntries(
      Object.entries(addresses).map(([address, target]) => [
        nameOf(address),
        {
          path: address,
          upstream: `http://127.0.0.1:${backendPort}${target}`,
          credential: { header: 'x-functions-key', value: 'env:BACKEND_KEY' },
          scopes: [`${nameOf(address)}.use`],
          enter: { anyRole: ['Snippets.Reader', 'Snippets.Writer'] },
          tools: rulesOf(address),
        },
      ]),
    ),
  };
}

/** Every second tool of a list is for a role that nobody has. */
function rulesOf(address: string): Record<string, { anyRole: string[] }> {
  const count = Number(/list-(\d+)/.exec(address)?.[1] ?? 0);
  const hidden = Array.from({ length: count / 2 }, (_each, index) => `tool_${index * 2}`);
  return {
    save_snippet: { anyRole: ['Snippets.Writer'] },
    ...Object.fromEntries(hidden.map((name) => [name, { anyRole: ['Snippets.Nobody'] }])),
  };
}

function nameOf(address: string): string {
  return address.slice(1, -'/mcp'.length);
}

function isWriter({ displayName }: { readonly displayName: string }): boolean {
  return displayName.toLowerCase().includes('writer');
}
