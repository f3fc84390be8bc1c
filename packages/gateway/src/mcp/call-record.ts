import type { Clock } from '@valetkey/core/base/clock';
import type { Operation } from '@valetkey/core/mcp/operation';
import type { Principal } from '@valetkey/core/policy/principal';
import type { Logger } from 'pino';
import type { Audit, AuditEvent } from '../audit/event.ts';
import type { Asked } from '../enforce/asked.ts';
import type { Judged } from '../enforce/refusal.ts';
import type { Exchange } from '../http/exchange.ts';
import type { CutReason } from '../proxy/open-streams.ts';
import type { CallWatch, ForwardWatch } from '../telemetry/call-watch.ts';

/** How a call ended, as audit, metrics and log tell it. */
export interface CallEnd {
  readonly outcome: 'success' | 'denied' | 'error';
  readonly reason?: string;
  readonly httpStatus?: number;
}

/** One MCP request as it is written down, in the order in which things are known of it. */
export interface CallRecord {
  /** Without a token, or with a bad one. */
  unauthenticated(reason: string, httpStatus: number): void;
  authenticated(principal: Principal): void;
  /** What it asks cannot be read. */
  unreadable(reason: string, httpStatus: number): void;
  asked(asked: Asked): void;
  judged(): void;
  /** The right to it ended before it was done. */
  lapsed(reason: CutReason, httpStatus: number): void;
  /** One record for each operation that is denied. */
  denied(judged: readonly Judged[], httpStatus: number): void;
  readonly forwarding: ForwardWatch | undefined;
  /** One record for each operation. */
  ended(end: CallEnd): void;
  /** A stream that lasts has been recorded when it opened. @returns call it at its end. */
  streaming(): (cut: CutReason | undefined) => void;
}

export interface CallRecordOptions {
  readonly backend: { readonly name: string };
  readonly audit: Audit;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told where each request is; default: nobody looks. */
  readonly watch?: ((exchange: Exchange) => CallWatch | undefined) | undefined;
}

export function openCallRecord(exchange: Exchange, options: CallRecordOptions): CallRecord {
  return new OpenCallRecord(exchange, options);
}

/** A class, since there is one for each request: a closure for each of its methods would cost more than what they do. */
class OpenCallRecord implements CallRecord {
  readonly #exchange: Exchange;
  readonly #options: CallRecordOptions;
  readonly #startedMs: number;
  readonly #watch: CallWatch | undefined;
  #who: Caller | undefined;
  #operations: readonly Operation[] = [];

  constructor(exchange: Exchange, options: CallRecordOptions) {
    this.#exchange = exchange;
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
    this.#watch = options.watch?.(exchange);
  }

  get forwarding(): ForwardWatch | undefined {
    return this.#watch?.forwarding;
  }

  unauthenticated(reason: string, httpStatus: number): void {
    this.#watch?.authenticated(undefined);
    this.#record('access.denied', { outcome: 'denied', reason, httpStatus });
  }

  authenticated(principal: Principal): void {
    this.#watch?.authenticated(principal.clientId);
    this.#who = principal;
  }

  unreadable(reason: string, httpStatus: number): void {
    this.#record('mcp.call', { outcome: 'error', reason, httpStatus });
  }

  asked(asked: Asked): void {
    this.#operations = asked.operations;
    this.#watch?.asked(asked);
  }

  judged(): void {
    this.#watch?.judged();
  }

  lapsed(reason: CutReason, httpStatus: number): void {
    this.#record('access.denied', { outcome: 'denied', reason, httpStatus });
    this.#watch?.ended({ outcome: 'denied', reason, httpStatus });
  }

  denied(judged: readonly Judged[], httpStatus: number): void {
    let first: string | undefined;
    for (const { operation, decision } of judged) {
      if (decision.allow) continue;
      const { reason } = decision;
      first ??= reason;
      this.#record('access.denied', { outcome: 'denied', reason, httpStatus }, operation);
    }
    this.#watch?.ended({ outcome: 'denied', reason: first, httpStatus });
  }

  ended(end: CallEnd): void {
    for (const operation of this.#operations) this.#record('mcp.call', end, operation);
    this.#watch?.ended(end);
    const { log, backend } = this.#options;
    if (log.isLevelEnabled('debug'))
      log.debug({ requestId: this.#exchange.id, backend: backend.name, ...end }, 'mcp request');
  }

  streaming(): (cut: CutReason | undefined) => void {
    const hasEnded = this.#watch?.streaming();
    return (cut) => {
      hasEnded?.();
      if (cut !== undefined) this.#record('access.denied', { outcome: 'denied', reason: cut });
    };
  }

  #record(event: AuditEvent['event'], end: CallEnd, operation?: Operation): void {
    const { audit, clock, backend } = this.#options;
    const who = this.#who;
    const { id, ip } = this.#exchange;
    audit.record({
      event,
      outcome: end.outcome,
      correlationId: id,
      reason: end.reason,
      tenantId: who?.tenantId,
      objectId: who?.objectId,
      clientId: who?.clientId,
      sessionId: who?.sessionId,
      backend: backend.name,
      method: operation?.method === '' ? 'response' : operation?.method,
      target: operation?.name,
      ip,
      httpStatus: end.httpStatus,
      durationMs: clock.nowMs() - this.#startedMs,
    });
  }
}

type Caller = Pick<Principal, 'tenantId' | 'objectId' | 'clientId' | 'sessionId'>;
