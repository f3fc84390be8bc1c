/** The queue between a record and where it is written: bounded, in order, never in the way of a request. */
import type { Clock } from '@valetkey/core/base/clock';
import type { Logger } from 'pino';
import type { SinkState } from './event.ts';

export interface LineSinkOptions {
  /** For the log and the metrics: `audit file`. */
  readonly name: string;
  /** The record that tells how many were dropped. */
  readonly droppedEvent: string;
  /** Writes whole lines; rejects where it cannot. */
  readonly write: (lines: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'error'>;
  /** Records that wait at most; further ones are dropped, counted and announced. Default: 10,000. */
  readonly maxQueued?: number;
  /** Their bytes at most, likewise. Default: 8 MiB. */
  readonly maxQueuedBytes?: number;
  /**
   * Whoever asks `isFull` lets nothing more begin: what was under way then still finds room, however much it is. One
   * request can be a batch of many calls. Default: false.
   */
  readonly keepsAll?: boolean;
  /** How long the first record of a batch waits for others, unless many wait already. Default: 50. */
  readonly lingerMs?: number;
  /** How long `close` waits for a write that does not end, such as one to a pipe that nobody reads. Default: 2,000. */
  readonly closeTimeoutMs?: number;
  /** Waits before a failed write is tried again. Default: a timer that does not keep the process alive. */
  readonly pause?: (timeoutMs: number) => Promise<void>;
}

export interface LineSink {
  /** Neither throws nor waits. */
  write(record: object): void;
  isFull(): boolean;
  state(): SinkState;
  /** Tries with an empty line, which readers of JSON lines pass over. */
  isWritable(): Promise<boolean>;
  close(): Promise<void>;
}

const batchSize = 2000;
const retryMs = 1_000;

/**
 * A write that failed is tried again with the same lines, so a record can stand there twice but not be missing.
 * The retry starts on a new line: a line that was cut stays alone.
 */
export function createLineSink(options: LineSinkOptions): LineSink {
  const { name, write, clock, log, droppedEvent, lingerMs = 50, closeTimeoutMs = 2_000 } = options;
  const { maxQueued = 10_000, maxQueuedBytes = 8 * 1024 * 1024, keepsAll = false } = options;
  const { pause = pauseUnref } = options;
  const queue: string[] = [];
  const state = {
    bytes: 0,
    unannounced: 0,
    dropped: 0,
    closed: false,
    failing: false,
    busy: false,
    draining: Promise.resolve(),
    lingers: false,
    wake: (): void => {},
  };
  const isFull = () => queue.length >= maxQueued || state.bytes >= maxQueuedBytes;
  const isWorthAWrite = () =>
    queue.length >= Math.min(batchSize, maxQueued / 4) || state.bytes >= maxQueuedBytes / 4;

  const push = (line: string): void => {
    queue.push(line);
    state.bytes += Buffer.byteLength(line);
  };

  const drop = (): void => {
    if (state.unannounced === 0)
      log.error({ sink: name, queued: queue.length }, 'the queue is full: records are dropped');
    state.unannounced += 1;
    state.dropped += 1;
  };

  const announceDrops = (): void => {
    if (state.unannounced === 0 || isFull()) return;
    const dropped = state.unannounced;
    const time = new Date(clock.nowMs()).toISOString();
    push(toLine({ time, event: droppedEvent, outcome: 'error', reason: 'queue_full', dropped }));
    log.error({ sink: name, dropped }, 'records were dropped, since the queue was full; there is room again');
    state.unannounced = 0;
  };

  const giveUp = (): void => {
    log.error({ sink: name, lost: queue.length + state.unannounced }, 'records were lost at the end');
  };

  const writeBatch = async (): Promise<void> => {
    const lines = queue.slice(0, batchSize);
    const text = lines.join('');
    await write(state.failing ? `\n${text}` : text);
    queue.splice(0, lines.length);
    state.bytes -= Buffer.byteLength(text);
    state.failing = false;
    announceDrops();
  };

  /** Ends early when the sink is closed. A race with a promise that lasts as long as the sink would pile up in it. */
  const rest = (ended: Promise<void>): Promise<void> =>
    new Promise((resolve) => {
      if (state.closed) return resolve();
      state.wake = resolve;
      void ended.then(resolve);
    });

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      // One write for many records: each costs as much as a whole request.
      if (lingerMs > 0 && !isWorthAWrite()) {
        state.lingers = true;
        await rest(pauseUnref(lingerMs));
        state.lingers = false;
      }
      const last = state.closed;
      try {
        await writeBatch();
      } catch (fault) {
        if (!state.failing)
          log.error({ sink: name, code: faultCode(fault) }, 'records wait: they cannot be written');
        state.failing = true;
        if (last) {
          giveUp();
          return;
        }
        await rest(pause(retryMs));
      }
    }
    // In one step with the last look at the queue: a record that came between would wait for the next one, or be lost.
    state.busy = false;
  };

  const startDrain = (): void => {
    if (state.busy) return;
    state.busy = true;
    state.draining = drain();
  };

  return {
    write(record) {
      if (state.closed) return;
      announceDrops();
      if (isFull() && !keepsAll) drop();
      else push(toLine(record));
      startDrain();
      if (state.lingers && isWorthAWrite()) state.wake();
    },
    isFull,
    isWritable: () =>
      write('\n').then(
        () => true,
        () => false,
      ),
    state: () => ({
      name,
      queued: queue.length,
      queuedBytes: state.bytes,
      dropped: state.dropped,
      isFull: isFull(),
    }),
    async close() {
      state.closed = true;
      state.wake();
      const late = Symbol('late');
      const { promise, stop } = timeout(closeTimeoutMs, late);
      if ((await Promise.race([state.draining, promise])) === late) giveUp();
      stop();
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

/** Keeps the process alive: something is still to be written. */
function timeout<Value>(timeoutMs: number, value: Value) {
  const { promise, resolve } = Promise.withResolvers<Value>();
  const timer = setTimeout(() => resolve(value), timeoutMs);
  return { promise, stop: () => clearTimeout(timer) };
}
