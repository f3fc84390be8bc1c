/** `valetkey serve` as a process of its own, to be killed without a warning, on a port and a store that outlive it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmulator, type Emulator, GATEWAY_CLIENT_ID } from '@valetkey/entra-emulator';
import { stringify } from 'yaml';
import { caFileName, describeTrial, trialEnv } from 'valetkey/trial-config';
import { repositoryRoot } from './command.ts';
import { findFreePort } from './free-port.ts';
import { generousLimits, snippetsBackend } from './product.ts';

export interface KillableGateway {
  readonly url: string;
  readonly mcpUrl: string;
  readonly emulator: Emulator;
  readonly directory: string;
  /** @param args beside the configuration file. */
  start(...args: string[]): Promise<void>;
  /** SIGKILL: nothing is written, said or closed any more. */
  kill(): Promise<void>;
  /** SIGTERM: an end in peace, after which starting is quicker, since Node keeps what it compiled. */
  stop(): Promise<void>;
  readonly pid: () => number | undefined;
  signal(name: NodeJS.Signals): void;
  /** Everything the processes have said so far. */
  readonly said: () => string;
  close(): Promise<void>;
}

/** @param upstream of the one backend, `/snippets/mcp`. It does not run yet. @param more of the configuration. */
export async function prepareGateway(
  upstream: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<KillableGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'valetkey-killed-'));
  const emulator = await createEmulator();
  const port = await findFreePort();
  const url = `http://localhost:${port}`;
  emulator.control.addRedirectUri(GATEWAY_CLIENT_ID, `${url}/auth/callback`);
  await writeFile(join(directory, caFileName), emulator.caCertificatePem);
  const config = join(directory, 'valetkey.yaml');
  const backends = { snippets: snippetsBackend(upstream) };
  const trial = describeTrial({ publicUrl: url, emulator, directory, backends });
  await writeFile(
    config,
    stringify({ ...trial, listen: { host: '127.0.0.1', port }, limits: generousLimits, ...more }),
  );

  let child: ChildProcess | undefined;
  let said = '';

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
  const kill = () => end('SIGKILL');

  return {
    url,
    mcpUrl: `${url}/snippets/mcp`,
    emulator,
    directory,
    kill,
    pid: () => child?.pid,
    stop: () => end('SIGTERM'),
    signal: (name) => void child?.kill(name),
    said: () => said,
    async start(...args) {
      const started = spawn(
        process.execPath,
        [
          '--conditions=valetkey-source',
          join(repositoryRoot, 'packages/cli/src/main.ts'),
          'serve',
          '--config',
          config,
          ...args,
        ],
        {
          cwd: directory,
          env: {
            ...process.env,
            // The same sources dozens of times: compiled once.
            NODE_COMPILE_CACHE: join(directory, 'compiled'),
            ...trialEnv,
            FUNCTION_KEY: 'a-function-key-for-tests-only',
          },
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      );
      child = started;
      const from = said.length;
      await new Promise<void>((resolve, reject) => {
        started.stderr.setEncoding('utf8').on('data', (text: string) => {
          said += text;
          if (said.slice(from).includes('gateway ready')) resolve();
        });
        started.once('exit', () => reject(new Error(`the gateway ended: ${said.slice(from)}`)));
      });
    },
    async close() {
      await kill();
      await emulator.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
