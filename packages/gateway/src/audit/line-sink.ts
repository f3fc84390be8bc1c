/** The queue between a record and where it is written: bounded, in order, never in the way of a request. */
import type { Clock } from '@valetkey/core/base/clock';
import type { Logger } from 'pino';
import type { AuditSink } from './sink.ts';

export interface LineSinkOptions {
  /** For the log: `audit file`. */
  readonly name: string;
  /** Writes whole lines; rejects where it cannot. */
  readonly write: (lines: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'error'>;
  /** Records that wait at most; further ones are counted and announced. Default: 10 000. */
  readonly maxQueued?: number;
  /** Waits before a failed write is tried again. Default: a timer that does not keep the process alive. */
  readonly pause?: (timeoutMs: number) => Promise<void>;
}

const batchSize = 500;
const retryMs = 1_000;

/**
 * A write that failed is tried again with the same lines, so a record can stand there twice but not be missing.
 * The retry starts on a new line: a line that was cut stays alone.
 */
export function createLineSink(options: LineSinkOptions): AuditSink {
  const { name, write, clock, log, maxQueued = 10_000, pause = pauseUnref } = options;
  const queue: string[] = [];
  const closing = Promise.withResolvers<void>();
  const state = { lost: 0, closed: false, failing: false, draining: Promise.resolve(), busy: false };

  const announceLoss = (): void => {
    if (state.lost === 0 || queue.length >= maxQueued) return;
    const time = new Date(clock.nowMs()).toISOString();
    queue.push(
      toLine({ time, event: 'audit.lost', outcome: 'error', reason: 'queue_full', lost: state.lost }),
    );
    state.lost = 0;
  };

  const writeBatch = async (): Promise<void> => {
    const batch = queue.slice(0, batchSize);
    await write(`${state.failing ? '\n' : ''}${batch.join('')}`);
    queue.splice(0, batch.length);
    state.failing = false;
    announceLoss();
  };

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      const last = state.closed;
      try {
        await writeBatch();
      } catch (fault) {
        if (!state.failing)
          log.error({ sink: name, code: faultCode(fault) }, 'audit records wait: write failed');
        state.failing = true;
        if (last) {
          log.error({ sink: name, lost: queue.length + state.lost }, 'audit records were lost at the end');
          return;
        }
        await Promise.race([pause(retryMs), closing.promise]);
      }
    }
  };

  const startDrain = (): void => {
    if (state.busy) return;
    state.busy = true;
    state.draining = drain().finally(() => {
      state.busy = false;
    });
  };

  return {
    write(record) {
      if (state.closed) return;
      announceLoss();
      if (queue.length >= maxQueued) state.lost += 1;
      else queue.push(toLine(record));
      startDrain();
    },
    async close() {
      state.closed = true;
      closing.resolve();
      await state.draining;
    },
  };
}

/** JSON has no raw line break, and these two end a line in some readers. */
function toLine(record: object): string {
  return `${JSON.stringify(record).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}\n`;
}

function faultCode(fault: unknown): string {
  return fault instanceof Error && 'code' in fault && typeof fault.code === 'string' ? fault.code : 'unknown';
}

function pauseUnref(timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, timeoutMs).unref();
  });
}
