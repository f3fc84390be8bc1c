/**
 * The answers that are on their way right now, by session: an event stream can stay open for hours, and must not
 * outlive the right to it.
 */
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';

/** Why a stream was cut: `session_ended`, `rights_changed` (roles or groups), `token_expired` (by setting). */
export type CutReason = 'session_ended' | 'rights_changed' | 'token_expired';

export interface OpenStream {
  readonly sessionId: string;
  /** What the access token says of the person's rights; see `rightsOf`. */
  readonly rights: () => string;
  readonly expiresAtSeconds: number;
  /** Breaks the connection: half an answer must not look like a whole one. */
  readonly cut: (reason: CutReason) => void;
}

export interface OpenStreams {
  /** @returns call it when the answer has ended. */
  open(stream: OpenStream): () => void;
  /** @param rights cut only those that were opened with others; undefined: cut all. @returns how many. */
  cutSession(sessionId: string, rights?: string): number;
  /** Cuts those whose access token has expired. @returns how many. */
  cutExpired(): number;
  /** Sessions that have one open. */
  sessionIds(): Iterable<string>;
}

export function createOpenStreams(clock: Clock): OpenStreams {
  const bySession = new Map<string, Set<OpenStream>>();

  function close(stream: OpenStream): void {
    const own = bySession.get(stream.sessionId);
    own?.delete(stream);
    if (own?.size === 0) bySession.delete(stream.sessionId);
  }

  function cut(stream: OpenStream, reason: CutReason): void {
    close(stream);
    stream.cut(reason);
  }

  return {
    open(stream) {
      const own = bySession.get(stream.sessionId) ?? new Set();
      own.add(stream);
      bySession.set(stream.sessionId, own);
      return () => close(stream);
    },
    cutSession(sessionId, rights) {
      const own = [...(bySession.get(sessionId) ?? [])];
      const unwanted = rights === undefined ? own : own.filter((stream) => stream.rights() !== rights);
      for (const stream of unwanted) cut(stream, rights === undefined ? 'session_ended' : 'rights_changed');
      return unwanted.length;
    },
    cutExpired() {
      const now = nowSeconds(clock);
      const expired = [...bySession.values()]
        .flatMap((own) => [...own])
        .filter((each) => each.expiresAtSeconds <= now);
      for (const stream of expired) cut(stream, 'token_expired');
      return expired.length;
    },
    sessionIds: () => [...bySession.keys()],
  };
}
