/** How much of one backend's work is under way in this gateway process, and what waits for its turn. */
import type { BackendCapacity } from '../../config/config.ts';

/**
 * `call`: a request that is worked on until its answer has ended. `stream`: one that is open for hours and works on
 * nothing (GET of the older protocol, `subscriptions/listen`). They have bounds of their own, since streams would
 * otherwise leave no room for calls. Notifications, answers to the server's questions and the end of a session have
 * none: a tool that waits for such an answer would keep it out.
 */
export type Load = 'call' | 'stream';

export type Release = () => void;

export interface Capacity {
  /**
   * @param whenGone calls back when nobody waits for the request any more; asked only of one that has to wait.
   * @returns how to give the place back; undefined: there is none. A promise only where there is a queue to wait in.
   */
  enter(
    load: Load | undefined,
    whenGone: (giveUp: () => void) => void,
  ): Release | undefined | Promise<Release | undefined>;
  count(): { readonly calls: number; readonly waiting: number; readonly streams: number };
}

interface Waiting {
  readonly take: (release: Release | undefined) => void;
}

export function createCapacity(config: BackendCapacity): Capacity {
  const { maxConcurrent = Number.POSITIVE_INFINITY, maxStreams = Number.POSITIVE_INFINITY } = config;
  const waiting = new Set<Waiting>();
  const under = { calls: 0, streams: 0 };

  /** The place goes to whoever has waited longest; only where nobody waits does it become free. */
  function leaveCall(): void {
    const [next] = waiting;
    if (next === undefined) under.calls -= 1;
    else next.take(once(leaveCall));
  }

  function leaveStream(): void {
    under.streams -= 1;
  }

  function wait(whenGone: (giveUp: () => void) => void): Promise<Release | undefined> {
    return new Promise((resolve) => {
      const take = (release: Release | undefined) => {
        waiting.delete(entry);
        clearTimeout(timer);
        resolve(release);
      };
      const entry: Waiting = { take };
      const timer = setTimeout(take, config.queueMs, undefined);
      waiting.add(entry);
      whenGone(() => take(undefined));
    });
  }

  return {
    enter(load, whenGone) {
      if (load === undefined) return nothing;
      if (load === 'stream') {
        if (under.streams >= maxStreams) return undefined;
        under.streams += 1;
        return once(leaveStream);
      }
      if (under.calls < maxConcurrent) {
        under.calls += 1;
        return once(leaveCall);
      }
      return waiting.size < config.maxQueued ? wait(whenGone) : undefined;
    },
    count: () => ({ ...under, waiting: waiting.size }),
  };
}

const nothing: Release = () => {};

/** A place given back twice would be two places. */
function once(work: () => void): Release {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
