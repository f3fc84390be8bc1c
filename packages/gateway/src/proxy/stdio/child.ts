/** A process that speaks MCP on its pipes: started without a shell, and ended with everything that it started. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { err, ok, type Result } from '@valetkey/core/base/result';

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Complete: nothing else is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Between closing its input, SIGTERM and SIGKILL. Default: 2 s each. */
  readonly graceMs?: number;
}

export interface Child {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles when it has ended and all that it wrote has been read. */
  readonly ended: Promise<ChildEnd>;
  /** Asks it to end: its input is closed, then SIGTERM, then SIGKILL. Resolves when it has ended. */
  stop(): Promise<void>;
  /** At once: it does not keep to the protocol. */
  kill(): void;
}

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const defaultGraceMs = 2000;
/** What a process that has ended left behind may hold its pipes open. */
const pipesMs = 1000;

/** @returns the system's word for why it cannot be started, such as `ENOENT`. */
export async function startChild(options: ChildOptions): Promise<Result<Child, string>> {
  const { command, args, cwd, env, graceMs = defaultGraceMs } = options;
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(command, args, {
    cwd,
    env: { ...env },
    shell: false,
    windowsHide: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own, so that what it starts (`npx` starts a server) can be ended with it.
    detached: process.platform !== 'win32',
  });
  const started = Promise.withResolvers<string | undefined>();
  child.once('spawn', () => started.resolve(undefined));
  child.once('error', (error: NodeJS.ErrnoException) => started.resolve(error.code ?? 'unknown'));
  const state = { hasExited: false };
  const ended = new Promise<ChildEnd>((resolve) => {
    child.once('exit', () => {
      state.hasExited = true;
      const timer = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, pipesMs);
      child.once('close', () => clearTimeout(timer));
    });
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  // It may close its input before we do.
  child.stdin.on('error', () => {});
  const fault = await started.promise;
  const { pid } = child;
  if (fault !== undefined || pid === undefined) return err(fault ?? 'unknown');

  const signal = (name: NodeJS.Signals): void => {
    if (!state.hasExited) signalGroup(pid, name);
  };
  return ok({
    pid,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    ended,
    kill: () => signal('SIGKILL'),
    async stop() {
      child.stdin.end();
      const timers = [
        setTimeout(() => signal('SIGTERM'), graceMs),
        setTimeout(() => signal('SIGKILL'), 2 * graceMs),
      ];
      await ended;
      timers.forEach(clearTimeout);
    },
  });
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch {
    // It has ended by itself.
  }
}
