import type { Operation } from '@valetkey/core/mcp/operation';
import type { VerifiedToken } from '../enforce/verify-token.ts';
import type { Exchange } from '../http/exchange.ts';
import type { CutReason, OpenStreams } from '../proxy/open-streams.ts';

/** The right of a request to be answered, which can end while the request is under way. */
export interface HeldRight {
  /** Why it has ended; undefined: it has not. */
  lost(): CutReason | undefined;
  /** The answer is a stream about these, which lasts: it ends with the right to each of them. */
  lastsFor(operations: readonly Operation[]): void;
  /** Call it when the answer's head is out: the right may have ended before it was known to be a stream. */
  cutNow(): void;
  /** Why the answer was cut; undefined: it was not. */
  cutReason(): CutReason | undefined;
}

/**
 * Holds from the check of the token to the last byte of the answer. What is not judged yet when the right to it ends is
 * not done: a body may be sent as slowly as its sender likes. Event streams are cut; an answer that is no stream ends
 * by itself, and its call was allowed when it came.
 */
export function holdRight(
  { res }: Exchange,
  { principal, expiresAtSeconds }: VerifiedToken,
  resource: string,
  streams: OpenStreams,
): HeldRight {
  let lost: CutReason | undefined;
  let cut: CutReason | undefined;
  let lasting: readonly Operation[] = [];
  const cutNow = () => {
    if (lost === undefined || !res.headersSent || res.destroyed) return;
    if (!String(res.getHeader('content-type') ?? '').startsWith('text/event-stream')) return;
    cut = lost;
    res.destroy();
  };
  const close = streams.open({
    principal,
    resource,
    expiresAtSeconds,
    lasting: () => lasting,
    cut(reason) {
      lost = reason;
      cutNow();
    },
  });
  if (res.closed) close();
  else res.once('close', close);
  return {
    lost: () => lost,
    lastsFor(operations) {
      lasting = operations;
    },
    cutNow,
    cutReason: () => cut,
  };
}
