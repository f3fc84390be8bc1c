import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { findProcessBound } from '@valetkey/gateway/config/backend-kind';
import type { Config } from '@valetkey/gateway/config/config';
import type { Logger } from 'pino';
import { UsageFault } from './usage-fault.ts';

/** A worker that ends is replaced after this time, twice as long each time that it ends soon. */
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** One that has lived so long was sound. */
const soundAfterMs = 60_000;

const maxWorkers = 64;

/** @returns how many; `auto`: one per core. @throws UsageFault when it is neither that nor a number from 1 to 64. */
export function parseWorkers(text: string): number {
  const count = text === 'auto' ? availableParallelism() : Number(text);
  if (text !== 'auto' && (!/^\d+$/.test(text) || count < 1 || count > maxWorkers))
    throw new UsageFault(`--workers takes a number from 1 to ${maxWorkers}, or auto, not ${text}`);
  return count;
}

/** @returns why this configuration cannot be served by several processes. */
export function checkShareable({ store, backends }: Pick<Config, 'store' | 'backends'>): string | undefined {
  for (const backend of backends) {
    const setting = findProcessBound(backend);
    if (setting === undefined) continue;
    const problem = `a session of backends.${backend.name} lives in one process (${setting}), and workers take requests in turn`;
    return `${problem}\n      Leave --workers out, or give that backend a gateway of its own`;
  }
  if (store.driver !== 'sqlite' || store.path !== ':memory:') return undefined;
  return 'workers share the store, and sqlite::memory: is in one process\n      Write store: sqlite:./valetkey.db, or leave --workers out';
}

export interface WorkersOptions {
  readonly count: number;
  /** The command line of a worker, without the program. */
  readonly args: readonly string[];
  /** Resolves when the process is asked to stop. */
  readonly stopped: Promise<void>;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/**
 * Runs the gateway in several processes that share one port. They are replicas in all else: they meet in the store,
 * and a revocation reaches each of them as it reaches another machine.
 *
 * @returns the exit code: 1 when the first worker does not start; it has said why.
 */
export async function runWorkers({ count, args, stopped, log }: WorkersOptions): Promise<number> {
  cluster.setupPrimary({ args: [...args] });
  const state = { isStopping: false };
  const pauses = new Set<NodeJS.Timeout>();

  // One first: it makes the key file and the tables of a new store, which the others then find.
  const first = fork();
  if (!(await isListening(first))) return 1;
  keepAlive(first, firstPauseMs);
  const others = Array.from({ length: count - 1 }, () => fork());
  for (const worker of others) keepAlive(worker, firstPauseMs);
  await Promise.all(others.map(isListening));
  log.info({ workers: count }, 'gateway ready');

  const passOn = () => signalAll('SIGHUP');
  process.on('SIGHUP', passOn);
  await stopped;
  log.info('stopping');
  state.isStopping = true;
  process.off('SIGHUP', passOn);
  for (const pause of pauses) clearTimeout(pause);
  const ended = running().map((worker) => once(worker.process, 'exit'));
  signalAll('SIGTERM');
  await Promise.all(ended);
  return 0;

  function keepAlive(worker: Worker, pauseMs: number): void {
    const startedMs = performance.now();
    worker.once('exit', (code, signal) => {
      if (state.isStopping) return;
      const wasSound = performance.now() - startedMs > soundAfterMs;
      const waitMs = wasSound ? firstPauseMs : pauseMs;
      log.error({ worker: worker.id, code, signal, againInMs: waitMs }, 'a worker has ended');
      const pause = setTimeout(() => {
        pauses.delete(pause);
        keepAlive(fork(), Math.min(waitMs * 2, longestPauseMs));
      }, waitMs);
      pauses.add(pause);
    });
  }
}

function fork(): Worker {
  return cluster.fork();
}

function running(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter(
    (worker) => worker !== undefined && !worker.isDead(),
  ) as Worker[];
}

function signalAll(signal: NodeJS.Signals): void {
  for (const worker of running()) worker.process.kill(signal);
}

/** @returns whether it listens; false: it ended before. */
function isListening(worker: Worker): Promise<boolean> {
  return new Promise((resolve) => {
    worker.once('listening', () => resolve(true));
    worker.once('exit', () => resolve(false));
  });
}
