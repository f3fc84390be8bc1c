import type { Logger } from 'pino';
import type { RepeatingTimer } from '../store/sweeper.ts';

/**
 * One look per process, however many requests it serves. Revoked everywhere within one second: what is left of it is
 * for the store's answer and a busy process.
 */
export const FEED_POLL_MS = 700;

export interface RevocationFeed {
  /** Whether revocations of the last `outageSeconds` may be unknown here, since the store did not answer. */
  isBlind(): boolean;
  /** Since the last look that succeeded. */
  ageMs(): number;
  close(): Promise<void>;
}

export interface RevocationFeedOptions {
  readonly reload: () => Promise<void>;
  readonly timer: RepeatingTimer;
  /** Milliseconds of a clock that nobody sets: the wall clock may jump without the store being away. */
  readonly monotonicMs: () => number;
  readonly outageSeconds: number;
  readonly log: Pick<Logger, 'warn' | 'info'>;
}

/** A poll that fails once is no outage yet. */
const leastOutageMs = 4 * FEED_POLL_MS;

/** Call when the revocations have been read once. */
export function startRevocationFeed(options: RevocationFeedOptions): RevocationFeed {
  const { reload, monotonicMs, log } = options;
  const outageMs = Math.max(options.outageSeconds * 1000, leastOutageMs);
  const state = { seenAtMs: monotonicMs(), running: Promise.resolve(), isBusy: false, isFailing: false };

  async function look(): Promise<void> {
    const startedMs = monotonicMs();
    try {
      await reload();
      // From its start: what was written while the answer was on its way is not in it.
      state.seenAtMs = startedMs;
      if (state.isFailing) log.info('the store answers again');
      state.isFailing = false;
    } catch (fault) {
      if (!state.isFailing) {
        const reason = fault instanceof Error ? fault.name : 'unknown';
        log.warn(
          { reason, outageSeconds: outageMs / 1000 },
          'the store does not answer: calls go on for a while',
        );
      }
      state.isFailing = true;
    }
  }

  const stop = options.timer(() => {
    if (state.isBusy) return;
    state.isBusy = true;
    state.running = look().finally(() => {
      state.isBusy = false;
    });
  }, FEED_POLL_MS);

  return {
    isBlind: () => monotonicMs() - state.seenAtMs > outageMs,
    ageMs: () => monotonicMs() - state.seenAtMs,
    async close() {
      stop();
      await state.running;
    },
  };
}
