/** Removes expired records for good, now and then. Reads never see them, so nothing depends on how often. */
import type { Logger } from 'pino';
import type { Driver } from './driver.ts';

/** Calls `work` every `intervalMs` until the returned function is called. Passed in, so that a test can tick. */
export type RepeatingTimer = (work: () => void, intervalMs: number) => () => void;

export interface SweeperOptions {
  readonly driver: Driver;
  /** Default: one minute. */
  readonly intervalMs?: number;
  /** Records per transaction, so that a sweep never holds the store for long. Default: 500. */
  readonly batchSize?: number;
  /** Default: `setInterval`, which does not keep the process alive. */
  readonly timer?: RepeatingTimer;
  readonly log?: Pick<Logger, 'warn'>;
}

/** A sweep goes on while batches are full, but not for ever: the next tick continues. */
const maxBatches = 20;

/** @returns how to stop it: resolves when a sweep under way has ended. */
export function startSweeper(options: SweeperOptions): () => Promise<void> {
  const { driver, intervalMs = 60_000, batchSize = 500, timer = repeat, log } = options;
  const state = { stopped: false, sweeping: Promise.resolve(), busy: false };

  const sweep = async (): Promise<void> => {
    for (let batch = 0; batch < maxBatches && !state.stopped; batch += 1) {
      if ((await driver.sweep(batchSize)) < batchSize) return;
    }
  };
  const tick = (): void => {
    if (state.busy || state.stopped) return;
    state.busy = true;
    state.sweeping = sweep()
      .catch((fault: unknown) => {
        log?.warn({ reason: fault instanceof Error ? fault.message : 'unknown fault' }, 'store sweep failed');
      })
      .finally(() => {
        state.busy = false;
      });
  };

  const cancel = timer(tick, intervalMs);
  return async () => {
    state.stopped = true;
    cancel();
    await state.sweeping;
  };
}

export const repeat: RepeatingTimer = (work, intervalMs) => {
  const handle = setInterval(work, intervalMs);
  handle.unref();
  return () => clearInterval(handle);
};
