/** Processes of the bench: started on a core, waited for, ended with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { findCommand } from './needed.ts';

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly said: () => string;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly core: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A channel to talk to the process over. */
  readonly ipc?: boolean;
}

const started = new Set<ChildProcess>();
process.once('exit', () => {
  // Not harder: nginx and HAProxy have processes of their own, which only they can end.
  for (const child of started) child.kill('SIGTERM');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

export function start(command: string, args: readonly string[], options: StartOptions): Running {
  const { core, cwd, env = {}, ipc = false } = options;
  const path = command.startsWith('/') ? command : (findCommand(command) ?? command);
  const child = spawn('taskset', ['-c', String(core), path, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
  });
  started.add(child);
  let said = '';
  const hear = (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-20_000);
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  child.once('exit', () => started.delete(child));
  return {
    child,
    pid: child.pid ?? 0,
    said: () => said,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await gone;
      clearTimeout(force);
    },
  };
}

/** Runs to the end. @throws with all it said where it fails. @returns stdout. */
export async function run(command: string, args: readonly string[], options: StartOptions): Promise<string> {
  const { child, said } = start(command, args, options);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${said()}`);
  return said();
}

/** @throws when the process has ended, or nobody listens within 20 s. */
export async function untilListening(running: Running, port: number): Promise<void> {
  const giveUpAtMs = performance.now() + 20_000;
  while (!(await accepts(port))) {
    if (running.child.exitCode !== null || performance.now() > giveUpAtMs)
      throw new Error(`nobody listens: ${running.said()}`);
    await pause(20);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
