/**
 * Room `errors`: how a refusal of Entra looks on the wire. The codes themselves are rows in `error-rows.ts`.
 * Knows nothing of who raises one.
 */
import { type ErrorRow, errorRows as rows } from './error-rows.ts';

/** What an AADSTS answer may carry beside its words. */
export interface AadstsExtras {
  /** A claims challenge, as JSON text. */
  readonly claims?: string;
  readonly suberror?: string;
  readonly retryAfterSeconds?: number;
  /** Some codes have another OAuth error, and status, in another flow. */
  readonly error?: string;
  readonly status?: number;
}

/** One refusal of the emulator. `details` fill the `{name}` gaps of the row. */
export class AadstsError extends Error {
  readonly code: number;
  readonly status: number;
  readonly error: string;
  readonly suberror: string | undefined;
  readonly claims: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly shownOnPage: boolean;

  constructor(code: number, details: Readonly<Record<string, string>> = {}, extras: AadstsExtras = {}) {
    const row: ErrorRow = rows[code] ?? {
      status: 400,
      error: 'invalid_grant',
      text: 'A fault asked for through the control plane.',
    };
    super(`AADSTS${code}: ${fill(row.text, details)}`);
    this.name = 'AadstsError';
    this.code = code;
    this.status = extras.status ?? row.status;
    this.error = extras.error ?? row.error;
    this.suberror = extras.suberror ?? row.suberror;
    this.claims = extras.claims;
    this.retryAfterSeconds = extras.retryAfterSeconds;
    this.shownOnPage = row.page === true;
  }
}

/** Every code with a row of its own, for the documentation and for tests. */
export function knownCodes(): readonly number[] {
  return Object.keys(rows).map(Number);
}

/** Those of them that only the control plane can ask for. */
export function faultOnlyCodes(): readonly number[] {
  return knownCodes().filter((code) => rows[code]?.faultOnly !== undefined);
}

/** The ids and the time every answer of Entra carries. */
export interface Trace {
  readonly traceId: string;
  readonly correlationId: string;
  readonly nowMs: number;
}

/** `AADSTSnnn: … Trace ID: … Correlation ID: … Timestamp: …Z`, one line, as the redirect and the JSON body carry it. */
export function describeError(error: AadstsError, trace: Trace): string {
  return `${error.message} Trace ID: ${trace.traceId} Correlation ID: ${trace.correlationId} Timestamp: ${entraTimestamp(trace.nowMs)}`;
}

/** The JSON body of the token, discovery and keys endpoints. */
export function errorBody(error: AadstsError, trace: Trace): Record<string, unknown> {
  return {
    error: error.error,
    error_description: describeError(error, trace),
    error_codes: [error.code],
    timestamp: entraTimestamp(trace.nowMs),
    trace_id: trace.traceId,
    correlation_id: trace.correlationId,
    error_uri: errorUri(error),
    ...(error.suberror === undefined ? {} : { suberror: error.suberror }),
    ...(error.claims === undefined ? {} : { claims: error.claims }),
  };
}

export function errorUri(error: AadstsError): string {
  return `https://login.microsoftonline.com/error?code=${error.code}`;
}

/** Entra writes `2026-01-31 12:00:00Z`, not ISO 8601. */
export function entraTimestamp(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** One pass, and a function as replacement: a detail that contains `{name}` or `$&` is text, not a template. */
function fill(text: string, details: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => (details[name] ?? '').slice(0, 300));
}
