import type { Exchange } from '../http/exchange.ts';

export interface ClientWatch {
  /** Whether the client left before it had the whole answer. */
  isGone(): boolean;
}

/** Nobody works for a client that has left. */
export function watchClient({ res }: Exchange, giveUp: () => void): ClientWatch {
  let isGone = false;
  res.on('close', () => {
    if (res.writableFinished) return;
    // Set where `pipeline` destroyed the stream for the backend's fault. A `destroy()` without an error, as when the
    // server stops, leaves it undefined.
    isGone = !res.errored;
    giveUp();
  });
  return { isGone: () => isGone };
}
