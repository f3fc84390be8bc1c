/** Commands as a person or a supervisor starts them: child processes with their output and their end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

export interface CommandEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningCommand {
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with stdout as soon as it matches. @throws Error with all output when the command ends before. */
  until(pattern: RegExp): Promise<string>;
  /** The same for stderr, where logs go. */
  untilLogged(pattern: RegExp): Promise<string>;
  readonly ended: Promise<CommandEnd>;
  /** Asks it to stop, as a supervisor does. @returns how it ended, and after how long. */
  stop(): Promise<CommandEnd & { readonly tookMs: number }>;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const patienceMs = 20_000;
const running = new Set<ChildProcess>();

/** For `afterEach`: what a failed test has left running. */
export function killLeftovers(): void {
  for (const child of running) child.kill('SIGKILL');
}

export function startCommand(
  command: string,
  args: readonly string[],
  { cwd = repositoryRoot, env = {} }: CommandOptions = {},
): RunningCommand {
  const child = spawn(command, args, {
    cwd,
    env: { ...ownEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const ended = new Promise<CommandEnd>((settle, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      running.delete(child);
      settle({ code, signal });
    });
  });
  const describe = () => `${command} ${args.join(' ')}\nstdout: ${output.stdout}\nstderr: ${output.stderr}`;

  const waitFor = (stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string> =>
    new Promise((settle, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no ${pattern} within ${patienceMs} ms: ${describe()}`)),
        patienceMs,
      );
      const look = () => {
        if (!pattern.test(output[stream])) return;
        clearTimeout(timer);
        settle(output[stream]);
      };
      child[stream].on('data', look);
      const over = (end: CommandEnd | Error) => {
        clearTimeout(timer);
        reject(new Error(`ended with ${JSON.stringify(end)} before ${pattern}: ${describe()}`));
      };
      ended.then(over, over);
      look();
    });

  return {
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    ended,
    until: (pattern) => waitFor('stdout', pattern),
    untilLogged: (pattern) => waitFor('stderr', pattern),
    async stop() {
      const startedMs = performance.now();
      child.kill('SIGTERM');
      return { ...(await ended), tookMs: performance.now() - startedMs };
    },
  };
}

/** Runs to the end. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandEnd & { readonly stdout: string; readonly stderr: string }> {
  const started = startCommand(command, args, options);
  return { ...(await started.ended), stdout: started.stdout(), stderr: started.stderr() };
}

/** What a shell of the person has: without what npm and vitest have put into this process. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const isTheirs = /^(npm_|VITEST|VITE_|NODE_ENV$|NODE_OPTIONS$|TEST$|DEV$|PROD$|MODE$|SSR$|BASE_URL$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isTheirs.test(name)));
}
