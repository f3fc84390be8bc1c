import type { AuditEvent, SinkState } from './event.ts';

/** What a sink gets: an event that went through `audit-text.ts`, with its time (ISO 8601, UTC). */
export type AuditRecord = AuditEvent & { readonly time: string };

/** Where records go. `write` neither throws nor waits; `close` resolves when what was written has left. */
export interface AuditSink {
  write(record: AuditRecord): void;
  close(): Promise<void>;
  /** A sink without these is never full. */
  readonly isFull?: () => boolean;
  readonly state?: () => SinkState;
  /** Whether something can be written right now. */
  readonly isWritable?: () => Promise<boolean>;
}
