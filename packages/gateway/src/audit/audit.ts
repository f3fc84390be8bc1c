import type { Clock } from '@valetkey/core/base/clock';
import { findSignInId } from '@valetkey/core/base/sign-in-id';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { cleanAddress, cleanCorrelationId, cleanId, cleanText } from './audit-text.ts';
import type { AuditEvent, WatchedAudit } from './event.ts';
import type { AuditRecord, AuditSink } from './sink.ts';
import { openSinks } from './sinks.ts';

export interface AuditOptions {
  readonly sinks: readonly AuditSink[];
  readonly clock: Clock;
  readonly log: Pick<Logger, 'error'>;
  /** Told of each record as it is written: what it counts needs no other hook. */
  readonly onRecord?: (record: AuditRecord) => void;
}

/** The audit that the configuration asks for: standard output, a file, both or none. */
export function openAudit(
  config: Config['audit'],
  world: { readonly clock: Clock; readonly log: Pick<Logger, 'error'> },
  onRecord?: (record: AuditRecord) => void,
): WatchedAudit {
  const { clock, log } = world;
  const { onOverflow, maxQueuedRecords, maxQueuedBytes } = config;
  const sinks = openSinks(config, {
    clock,
    log,
    keepsAll: onOverflow === 'refuse',
    ...(maxQueuedRecords === undefined ? {} : { maxQueued: maxQueuedRecords }),
    ...(maxQueuedBytes === undefined ? {} : { maxQueuedBytes }),
  });
  return createAudit({ sinks, clock, log, ...(onRecord === undefined ? {} : { onRecord }) });
}

/** Whether what is begun now could not be recorded, where the configuration wants nothing done unrecorded. */
export function createAuditGate(
  { onOverflow }: Pick<Config['audit'], 'onOverflow'>,
  audit: Pick<WatchedAudit, 'isFull'>,
): () => boolean {
  return onOverflow === 'refuse' ? audit.isFull : () => false;
}

/** Records go to all sinks; a sink that fails stops neither the others nor the request. */
export function createAudit({ sinks, clock, log, onRecord }: AuditOptions): WatchedAudit {
  const clean = createCleaner();
  const timeNow = createTimes(clock);
  return {
    record(event) {
      try {
        const record = createRecord(event, clean, timeNow());
        for (const sink of sinks) writeTo(sink, record, log);
        onRecord?.(record);
      } catch {
        log.error({ reason: 'malformed_event' }, 'an audit event could not be recorded');
      }
    },
    isFull: () => sinks.some((sink) => sink.isFull?.() === true),
    isWritable: async () => {
      const answers = await Promise.all(sinks.map(async (sink) => (await sink.isWritable?.()) ?? true));
      return answers.every(Boolean);
    },
    states: () => sinks.flatMap((sink) => sink.state?.() ?? []),
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

/** The time of a record, written once for all records of a millisecond. */
function createTimes(clock: Clock): () => string {
  let lastMs = Number.NaN;
  let text = '';
  return () => {
    const nowMs = clock.nowMs();
    if (nowMs !== lastMs) {
      text = new Date(nowMs).toISOString();
      lastMs = nowMs;
    }
    return text;
  };
}

/** Every field that exists: a new one does not compile until it has a rule. */
type Cleaned = Readonly<Record<keyof AuditEvent | 'time', string | number | undefined>>;

/**
 * Only these fields are copied, so what somebody spreads into an event beside them (a token response, say) never gets
 * further.
 */
function createRecord(event: AuditEvent, clean: Cleaner, time: string): AuditRecord {
  const { text, id } = clean;
  const cleaned: Cleaned = {
    time,
    event: text(event.event),
    outcome: text(event.outcome),
    correlationId: cleanWith(cleanCorrelationId, event.correlationId),
    signInId: cleanWith(cleanCorrelationId, signInOf(event)),
    reason: text(event.reason),
    tenantId: id(event.tenantId),
    objectId: id(event.objectId),
    clientId: id(event.clientId),
    clientName: text(event.clientName),
    redirectHosts: text(event.redirectHosts),
    sessionId: id(event.sessionId),
    backend: text(event.backend),
    method: text(event.method),
    target: text(event.target),
    ip: cleanWith(cleanAddress, event.ip),
    httpStatus: cleanNumber(event.httpStatus),
    durationMs: cleanNumber(event.durationMs),
    entraCorrelationId: id(event.entraCorrelationId),
  };
  // Each has been judged by its rule, whatever it was.
  return cleaned as unknown as AuditRecord;
}

function signInOf({ signInId, sessionId }: AuditEvent): unknown {
  return signInId ?? (typeof sessionId === 'string' ? findSignInId(sessionId) : undefined);
}

/** Ids and names come again with each call of a session; cleaning one takes more time than all else of a record. */
const maxRemembered = 4096;
const maxRememberedCharacters = 256;

interface Cleaner {
  readonly text: (value: unknown) => string | undefined;
  readonly id: (value: unknown) => string | undefined;
}

function createCleaner(): Cleaner {
  return { text: createRemembered(cleanText), id: createRemembered(cleanId) };
}

function createRemembered(clean: (text: string) => string): (value: unknown) => string | undefined {
  const known = new Map<string, string>();
  const remembered = (text: string): string => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const fresh = clean(text);
    if (text.length > maxRememberedCharacters) return fresh;
    if (known.size >= maxRemembered) known.clear();
    known.set(text, fresh);
    return fresh;
  };
  return (value) => cleanWith(remembered, value);
}

/** @returns undefined for what is not there: the field is left out of the record that is written. */
function cleanWith(clean: (text: string) => string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? clean(value) : '[not a text]';
}

function cleanNumber(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'number' && Number.isFinite(value) ? value : -1;
}
