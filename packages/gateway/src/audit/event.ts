/**
 * Room `audit`: append-only records of what was decided. Knows no HTTP and no OAuth.
 * A record can hold only the fields below; none of them can carry a token (see `audit-text.ts`).
 */
export type AuditEventName =
  | 'client.register'
  | 'authorize'
  | 'consent.allow'
  | 'consent.deny'
  /** An operator took it back. */
  | 'consent.revoke'
  /** The browser was sent to Entra, or could not be: before anybody signed in there. */
  | 'entra.redirect'
  | 'callback'
  | 'token'
  | 'token.refresh'
  | 'token.revoke'
  | 'session.revoke'
  | 'access.denied'
  | 'mcp.call'
  | 'config.reload';

export type AuditOutcome = 'success' | 'denied' | 'error';

/** What a caller of the audit room gives. Every string passes redaction before it is written. */
export interface AuditEvent {
  readonly event: AuditEventName;
  readonly outcome: AuditOutcome;
  /** `Exchange.id`: one request. */
  readonly correlationId: string;
  /** `createSignInId`: one sign-in over all its requests. Found by itself where there is a `sessionId`. */
  readonly signInId?: string | undefined;
  /** Machine-readable: `invalid_grant`, `missing_role`, `AADSTS50105`. */
  readonly reason?: string | undefined;
  readonly tenantId?: string | undefined;
  readonly objectId?: string | undefined;
  readonly clientId?: string | undefined;
  /** What the client calls itself, and where it wants answers: what the consent page shows of it. */
  readonly clientName?: string | undefined;
  readonly redirectHosts?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly backend?: string | undefined;
  /** JSON-RPC method, and tool name where there is one. */
  readonly method?: string | undefined;
  readonly target?: string | undefined;
  readonly ip?: string | undefined;
  readonly httpStatus?: number | undefined;
  readonly durationMs?: number | undefined;
  /** Entra's correlation id, for the tenant's own sign-in log. */
  readonly entraCorrelationId?: string | undefined;
}

export interface Audit {
  /** Never throws and never blocks the request. */
  record(event: AuditEvent): void;
  /** Writes what is queued and closes the sinks. */
  close(): Promise<void>;
}

/** How it goes with the writing: see `line-sink.ts`. */
export interface SinkState {
  /** `audit file`, `audit stream`. */
  readonly name: string;
  readonly queued: number;
  readonly queuedBytes: number;
  /** Records that were thrown away since the start, since the queue was full. */
  readonly dropped: number;
  readonly isFull: boolean;
}

/** The audit with what only the composition root asks for. */
export interface WatchedAudit extends Audit {
  /** Whether a record that came now would be one too many, at any of the sinks. Cheap: asked for every request. */
  isFull(): boolean;
  states(): SinkState[];
  /** Tries to write nothing to each sink. For one who does a thing only if it can be recorded. */
  isWritable(): Promise<boolean>;
}

/** What was asked for was not done, since it could not have been recorded (`audit.onOverflow: refuse`). */
export class AuditUnavailable extends Error {
  override readonly name = 'AuditUnavailable';
}
