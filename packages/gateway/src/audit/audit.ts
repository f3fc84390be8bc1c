import type { Clock } from '@valetkey/core/base/clock';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { cleanAddress, cleanCorrelationId, cleanId, cleanText } from './audit-text.ts';
import type { Audit, AuditEvent } from './event.ts';
import type { AuditRecord, AuditSink } from './sink.ts';
import { openSinks } from './sinks.ts';

export interface AuditOptions {
  readonly sinks: readonly AuditSink[];
  readonly clock: Clock;
  readonly log: Pick<Logger, 'error'>;
}

/** The audit that the configuration asks for: standard output, a file, both or none. */
export function openAudit(
  config: Config['audit'],
  world: { readonly clock: Clock; readonly log: Pick<Logger, 'error'> },
): Audit {
  const { clock, log } = world;
  return createAudit({ sinks: openSinks(config, { clock, log }), clock, log });
}

/** Records go to all sinks; a sink that fails stops neither the others nor the request. */
export function createAudit({ sinks, clock, log }: AuditOptions): Audit {
  return {
    record(event) {
      try {
        const record = createRecord(event, clock);
        for (const sink of sinks) writeTo(sink, record, log);
      } catch {
        log.error({ reason: 'malformed_event' }, 'an audit event could not be recorded');
      }
    },
    close: async () => {
      await Promise.allSettled(sinks.map((sink) => sink.close()));
    },
  };
}

function writeTo(sink: AuditSink, record: AuditRecord, log: AuditOptions['log']): void {
  try {
    sink.write(record);
  } catch {
    log.error({ reason: 'sink_failed' }, 'an audit sink failed');
  }
}

/** A field's rule, by type: text has to pass one, numbers have to be numbers. */
type Rules = {
  readonly [Field in keyof AuditEvent]-?: (value: NonNullable<AuditEvent[Field]>) => AuditEvent[Field];
};

/**
 * Every field that exists. Only these are copied, so what somebody spreads into an event beside them (a token
 * response, say) never gets further; a new field does not compile until it has a rule.
 */
const rules: Rules = {
  event: (name) => cleanText(name) as AuditEvent['event'],
  outcome: (outcome) => cleanText(outcome) as AuditEvent['outcome'],
  correlationId: cleanCorrelationId,
  reason: cleanText,
  tenantId: cleanId,
  objectId: cleanId,
  clientId: cleanId,
  clientName: cleanText,
  redirectHosts: cleanText,
  sessionId: cleanId,
  backend: cleanText,
  method: cleanText,
  target: cleanText,
  ip: cleanAddress,
  httpStatus: cleanNumber,
  durationMs: cleanNumber,
  entraCorrelationId: cleanId,
};

function createRecord(event: AuditEvent, clock: Clock): AuditRecord {
  const cleaned = Object.entries(rules).flatMap(([field, rule]) => {
    const value: unknown = event[field as keyof AuditEvent];
    if (value === undefined || value === null) return [];
    return [[field, applyRule(rule as (value: unknown) => unknown, value)] as const];
  });
  // The fields of `rules` are exactly those of AuditEvent.
  return { time: new Date(clock.nowMs()).toISOString(), ...Object.fromEntries(cleaned) } as AuditRecord;
}

function applyRule(rule: (value: unknown) => unknown, value: unknown): unknown {
  const isNumberRule = rule === cleanNumber;
  return isNumberRule || typeof value === 'string' ? rule(value) : '[not a text]';
}

function cleanNumber(value: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : -1;
}
