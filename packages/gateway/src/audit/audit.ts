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

/** Every field that exists, with the rule of those that hold text. */
type Rules = Readonly<Record<keyof AuditEvent, 'text' | 'id' | 'correlation_id' | 'address' | 'number'>>;

/**
 * Only these are copied, so what somebody spreads into an event beside them (a token response, say) never gets
 * further; a new field does not compile until it has a rule.
 */
const rules: Rules = {
  event: 'text',
  outcome: 'text',
  correlationId: 'correlation_id',
  signInId: 'correlation_id',
  reason: 'text',
  tenantId: 'id',
  objectId: 'id',
  clientId: 'id',
  clientName: 'text',
  redirectHosts: 'text',
  sessionId: 'id',
  backend: 'text',
  method: 'text',
  target: 'text',
  ip: 'address',
  httpStatus: 'number',
  durationMs: 'number',
  entraCorrelationId: 'id',
};

const fields = Object.keys(rules) as (keyof AuditEvent)[];

type Cleaner = (field: keyof AuditEvent, value: unknown) => string | number;

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

function createRecord(event: AuditEvent, clean: Cleaner, time: string): AuditRecord {
  const record: Record<string, string | number> = { time };
  for (const field of fields) {
    const value: unknown = field === 'signInId' ? signInOf(event) : event[field];
    if (value !== undefined && value !== null) record[field] = clean(field, value);
  }
  // The fields of `rules` are exactly those of AuditEvent.
  return record as unknown as AuditRecord;
}

function signInOf({ signInId, sessionId }: AuditEvent): unknown {
  return signInId ?? (typeof sessionId === 'string' ? findSignInId(sessionId) : undefined);
}

/** Ids and names come again with each call of a session; cleaning one takes more time than all else of a record. */
const maxRemembered = 4096;
const maxRememberedCharacters = 256;

function createCleaner(): Cleaner {
  const cleaned = { text: new Map<string, string>(), id: new Map<string, string>() };

  function remembered(kind: keyof typeof cleaned, text: string): string {
    const known = cleaned[kind];
    const found = known.get(text);
    if (found !== undefined) return found;
    const fresh = kind === 'id' ? cleanId(text) : cleanText(text);
    if (text.length > maxRememberedCharacters) return fresh;
    if (known.size >= maxRemembered) known.clear();
    known.set(text, fresh);
    return fresh;
  }

  return (field, value) => {
    const rule = rules[field];
    if (rule === 'number') return typeof value === 'number' && Number.isFinite(value) ? value : -1;
    if (typeof value !== 'string') return '[not a text]';
    if (rule === 'correlation_id') return cleanCorrelationId(value);
    return rule === 'address' ? cleanAddress(value) : remembered(rule, value);
  };
}
