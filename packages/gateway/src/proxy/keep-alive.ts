/**
 * Comments on event streams that have been silent for a while: load balancers and proxies on the way close a
 * connection on which nothing happens, most of them after 60 s (MCP Transports: comment keep-alives).
 *
 * One timer for all streams. Each stands in the slot of the second in which it would be due; a stream on which
 * something has happened meanwhile is only put into a later slot, so an event costs one number and an idle stream one
 * visit per interval.
 */
import type { Readable, Writable } from 'node:stream';
import type { RepeatingTimer } from '../store/sweeper.ts';
import { createEventBoundary } from './event-boundary.ts';

/** White space for an event stream: no client takes it for an event (WHATWG HTML §9.2). */
export const keepAliveComment = ': keep-alive\n\n';

export interface KeepAlive {
  /** @param beat is called each time that nothing has been touched for the interval. Must not throw. */
  watch(beat: () => void): Watched;
  /** Stops the timer. */
  close(): void;
}

export interface Watched {
  /** Something has happened: the interval starts anew. */
  touch(): void;
  stop(): void;
}

interface Entry extends Watched {
  readonly beat: () => void;
  touchedAt: number;
  slot: Set<Entry>;
}

/** @param seconds 0: never. */
export function createKeepAlive(seconds: number, timer: RepeatingTimer): KeepAlive {
  if (seconds === 0) return { watch: () => ({ touch() {}, stop() {} }), close() {} };
  const slots = Array.from({ length: seconds + 1 }, () => new Set<Entry>());
  let second = 0;
  const slotOf = (due: number) => slots[due % slots.length] as Set<Entry>;

  function place(entry: Entry): void {
    entry.slot = slotOf(entry.touchedAt + seconds);
    entry.slot.add(entry);
  }

  function visit(entry: Entry): void {
    entry.slot.delete(entry);
    const isDue = entry.touchedAt + seconds <= second;
    if (isDue) entry.touchedAt = second;
    place(entry);
    if (isDue) entry.beat();
  }

  const stopTimer = timer(() => {
    second += 1;
    // Whatever is put anywhere meanwhile is due in another second, so in another slot.
    for (const entry of slotOf(second)) visit(entry);
  }, 1000);

  return {
    watch(beat) {
      const entry: Entry = {
        beat,
        touchedAt: second,
        slot: slotOf(second + seconds),
        touch: () => {
          entry.touchedAt = second;
        },
        stop: () => void entry.slot.delete(entry),
      };
      entry.slot.add(entry);
      return entry;
    },
    close: stopTimer,
  };
}

/** Never: for what has no streams. */
export const noKeepAlive: KeepAlive = createKeepAlive(0, () => () => {});

/**
 * Keeps an event stream alive that is piped from a backend to a client. A comment goes out only between two whole
 * events, and never to a client that does not read.
 *
 * @returns how to stop.
 */
export function keepPipeAlive(keepAlive: KeepAlive, from: Readable, to: Writable): () => void {
  const boundary = createEventBoundary();
  const watched = keepAlive.watch(() => {
    // An answer that has been ended is `writable` until its client has read it, and may not be written to.
    const isOpen = to.writable && !to.writableEnded;
    if (isOpen && !to.writableNeedDrain && boundary.isBetweenEvents()) to.write(keepAliveComment);
  });
  from.on('data', (chunk: Uint8Array) => {
    boundary.push(chunk);
    watched.touch();
  });
  return watched.stop;
}
