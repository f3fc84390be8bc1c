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
  readonly watch?: ((exchange: Exchange) => CallWatch) | undefined;
}

export function openCallRecord(exchange: Exchange, options: CallRecordOptions): CallRecord {
  const { backend, audit, clock, log } = options;
  const startedMs = clock.nowMs();
  const watch = options.watch?.(exchange);
  let who: Caller | undefined;
  let operations: readonly Operation[] = [];

  const record = (event: Event) => {
    const durationMs = clock.nowMs() - startedMs;
    audit.record({
      ...event,
      ...who,
      correlationId: exchange.id,
      backend: backend.name,
      ip: exchange.ip,
      durationMs,
    });
  };

  return {
    unauthenticated(reason, httpStatus) {
      watch?.authenticated(undefined);
      record({ event: 'access.denied', outcome: 'denied', reason, httpStatus });
    },
    authenticated(principal) {
      watch?.authenticated(principal.clientId);
      who = callerOf(principal);
    },
    unreadable(reason, httpStatus) {
      record({ event: 'mcp.call', outcome: 'error', reason, httpStatus });
    },
    asked(asked) {
      ({ operations } = asked);
      watch?.asked(asked);
    },
    judged: () => watch?.judged(),
    lapsed(reason, httpStatus) {
      record({ event: 'access.denied', outcome: 'denied', reason, httpStatus });
      watch?.ended({ outcome: 'denied', reason, httpStatus });
    },
    denied(judged, httpStatus) {
      let first: string | undefined;
      for (const { operation, decision } of judged) {
        if (decision.allow) continue;
        const { reason } = decision;
        first ??= reason;
        record({ event: 'access.denied', outcome: 'denied', reason, ...told(operation), httpStatus });
      }
      watch?.ended({ outcome: 'denied', reason: first, httpStatus });
    },
    forwarding: watch?.forwarding,
    ended(end) {
      for (const operation of operations) record({ event: 'mcp.call', ...end, ...told(operation) });
      watch?.ended(end);
      log.debug({ requestId: exchange.id, backend: backend.name, ...end }, 'mcp request');
    },
    streaming() {
      const hasEnded = watch?.streaming();
      return (cut) => {
        hasEnded?.();
        if (cut !== undefined) record({ event: 'access.denied', outcome: 'denied', reason: cut });
      };
    },
  };
}

/** The part of an audit event that differs from one record of a request to the next. */
type Event = Omit<AuditEvent, 'correlationId' | 'backend' | 'ip' | 'durationMs' | keyof Caller>;

type Caller = Pick<AuditEvent, 'tenantId' | 'objectId' | 'clientId' | 'sessionId'>;

function callerOf({ tenantId, objectId, clientId, sessionId }: Principal): Caller {
  return { tenantId, objectId, clientId, sessionId };
}

function told({ method, name }: Operation) {
  return { method: method === '' ? 'response' : method, ...(name === undefined ? {} : { target: name }) };
}
