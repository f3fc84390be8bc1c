import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
import type { Operation } from '@valetkey/core/mcp/operation';
import type { Principal } from '@valetkey/core/policy/principal';
import type { VerifiedToken } from '../enforce/verify-token.ts';
import type { Exchange } from '../http/exchange.ts';
import type { CutReason, OpenStream, OpenStreams } from '../proxy/open-streams.ts';

/** The right of a request to be answered, which can end while the request is under way. */
export interface HeldRight {
  /** Why it has ended, which a token may have done by itself meanwhile; undefined: it has not. */
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
  exchange: Exchange,
  token: VerifiedToken,
  resource: string,
  streams: OpenStreams,
  clock: Clock,
): HeldRight {
  return new RequestRight(exchange.res, token, resource, streams, clock);
}

/** A class for the sake of its cost, as `OpenCallRecord` is. */
class RequestRight implements HeldRight, OpenStream {
  readonly principal: Principal;
  readonly resource: string;
  readonly expiresAtSeconds: number;
  lasting: readonly Operation[] = [];
  readonly #res: Exchange['res'];
  readonly #clock: Clock;
  #lost: CutReason | undefined;
  #cut: CutReason | undefined;

  constructor(
    res: Exchange['res'],
    token: VerifiedToken,
    resource: string,
    streams: OpenStreams,
    clock: Clock,
  ) {
    this.principal = token.principal;
    this.expiresAtSeconds = token.expiresAtSeconds;
    this.resource = resource;
    this.#res = res;
    this.#clock = clock;
    const close = streams.open(this);
    if (res.closed) close();
    else res.on('close', close);
  }

  cut(reason: CutReason): void {
    this.#lost = reason;
    this.cutNow();
  }

  lost(): CutReason | undefined {
    if (this.#lost !== undefined) return this.#lost;
    return this.expiresAtSeconds <= nowSeconds(this.#clock) ? 'token_expired' : undefined;
  }

  lastsFor(operations: readonly Operation[]): void {
    this.lasting = operations;
  }

  cutNow(): void {
    const res = this.#res;
    if (this.#lost === undefined || !res.headersSent || res.destroyed) return;
    if (!String(res.getHeader('content-type') ?? '').startsWith('text/event-stream')) return;
    this.#cut = this.#lost;
    res.destroy();
  }

  cutReason(): CutReason | undefined {
    return this.#cut;
  }
}
