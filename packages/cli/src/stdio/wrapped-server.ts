/** The wrapped server as a process: started without a shell, its end passed on, no end of it forgotten. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { UsageFault } from '../usage-fault.ts';

export interface WrappedServer {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Its exit code; 128 and the signal's number where a signal ended it, as shells say it. */
  readonly ended: Promise<number>;
  /** Asks it to end: its input first, then SIGTERM, then SIGKILL. */
  stop(): void;
  signal(signal: NodeJS.Signals): void;
}

export const graceMs = 5_000;

/** @throws UsageFault when there is no such command. */
export async function startServer(
  [command = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<WrappedServer> {
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(command, args, {
    env,
    shell: false,
    // Its log is for people, and stays where theirs would be without us.
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const started = Promise.withResolvers<void>();
  child.once('spawn', started.resolve);
  child.once('error', () => started.reject(new UsageFault(`the command ${command} cannot be started`)));
  const ended = new Promise<number>((resolve) => {
    // `close` and not `exit`: what it wrote last is still to be read.
    child.once('close', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
  await started.promise;
  // It may close its input before we do.
  child.stdin.on('error', () => undefined);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    ended,
    signal: (signal) => void child.kill(signal),
    stop() {
      child.stdin.end();
      const timers = [
        setTimeout(() => child.kill('SIGTERM'), graceMs),
        setTimeout(() => child.kill('SIGKILL'), 2 * graceMs),
      ];
      void ended.then(() => timers.forEach(clearTimeout));
    },
  };
}
