/** How long a call waits for a store that is another machine, and what it tries again meanwhile. */
import { setTimeout as wait } from 'node:timers/promises';
import { StoreUnavailable } from './driver.ts';

export interface PatienceOptions {
  /** For messages: `Redis`, `PostgreSQL`. */
  readonly engine: string;
  /** The longest that a call may take, whatever happens to the network. Default: five seconds. */
  readonly deadlineMs?: number;
  /** How many calls may wait for the store to come back; the next are refused at once. Default: 1,000. */
  readonly maxWaiting?: number;
  /** The store did certainly not execute it, and may do so soon: starting, failing over, unreachable. */
  readonly isUnsent: (fault: unknown) => boolean;
  /** The connection was lost with the answer: a read may be repeated, a write may not. */
  readonly isLost: (fault: unknown) => boolean;
  /** A fixed sentence: messages of libraries can quote addresses, keys and statements. */
  readonly describe: (fault: unknown) => string;
}

export interface Patience {
  /**
   * Runs the work, again where that is harmless, for at most the deadline.
   *
   * @param kind `read`: harmless to repeat although it may have been executed.
   * @throws StoreUnavailable
   */
  run<Value>(kind: 'read' | 'write', work: (signal: AbortSignal) => Promise<Value>): Promise<Value>;
}

/** Of the deadline: so that a short failover is a slow answer, and a long one is 503 while the client still waits. */
const retryShare = 0.6;
const firstPauseMs = 25;
const longestPauseMs = 400;

export function createPatience(options: PatienceOptions): Patience {
  const { engine, deadlineMs = 5_000, maxWaiting = 1_000, isUnsent, isLost, describe } = options;
  const state = { waiting: 0 };
  const unavailable = (reason: string) => new StoreUnavailable(`The ${engine} store failed: ${reason}`);

  async function attempt<Value>(
    work: (signal: AbortSignal) => Promise<Value>,
    leftMs: number,
  ): Promise<Value> {
    const abort = new AbortController();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(unavailable(`no answer within ${deadlineMs} ms`));
      abort.abort();
    }, leftMs);
    try {
      const working = work(abort.signal);
      // Who gave up on it must not be told of its end by an unhandled rejection.
      working.catch(() => {});
      return await Promise.race([working, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function pause(milliseconds: number): Promise<void> {
    state.waiting += 1;
    try {
      await wait(milliseconds);
    } finally {
      state.waiting -= 1;
    }
  }

  return {
    async run(kind, work) {
      const startedMs = performance.now();
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
        const spentMs = performance.now() - startedMs;
        try {
          return await attempt(work, deadlineMs - spentMs);
        } catch (fault) {
          if (fault instanceof StoreUnavailable) throw fault;
          const isHarmless = isUnsent(fault) || (kind === 'read' && isLost(fault));
          const hasTime = performance.now() - startedMs + pauseMs < deadlineMs * retryShare;
          if (!isHarmless || !hasTime || state.waiting >= maxWaiting) throw unavailable(describe(fault));
          await pause(pauseMs);
        }
      }
    },
  };
}
