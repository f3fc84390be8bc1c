/** What was asked of the emulator, for tests to assert on. Secrets never enter it: they are cut before they are kept. */
import type { EmulatorRequest, Reply } from './request.ts';

export interface RequestLogEntry {
  /** Counts up from 1 and never twice, also across `reset`: ask for what came `since`. */
  readonly sequence: number;
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly form: Readonly<Record<string, string>>;
  readonly status: number;
  readonly correlationId: string;
  /** Set when the emulator itself failed: a mistake of its own, never of the request. */
  readonly mistake?: string;
}

export interface RequestLogQuery {
  /** Only entries after this sequence number. */
  readonly since?: number;
  /** At most so many, the earliest first. Default: all. */
  readonly limit?: number;
}

const SECRET_PARAMETERS: ReadonlySet<string> = new Set([
  'access_token',
  'actor_token',
  'assertion',
  'client_assertion',
  'client_secret',
  'code',
  'code_verifier',
  'ctx',
  'device_code',
  'id_token',
  'id_token_hint',
  'passwd',
  'password',
  'refresh_token',
  'subject_token',
  'user_federated_identity_credential',
]);
const MAX_ENTRIES = 5_000;
// What is kept of one request: a log of endless values would be the emulator's largest part.
const MAX_PARAMETERS = 64;
const MAX_NAME_CHARACTERS = 100;
const MAX_VALUE_CHARACTERS = 2_000;

export interface RequestLog {
  add(request: EmulatorRequest, reply: Reply, atMs: number): RequestLogEntry;
  entries(query?: RequestLogQuery): readonly RequestLogEntry[];
  clear(): void;
}

export function createRequestLog(): RequestLog {
  let kept: RequestLogEntry[] = [];
  let sequence = 0;
  return {
    add(request, reply, atMs) {
      sequence += 1;
      const entry = {
        sequence,
        atMs,
        method: request.method,
        path: shorten(request.path),
        query: redact(request.query),
        form: redact(request.form),
        status: reply.status,
        correlationId: request.correlationId,
        ...(reply.mistake === undefined ? {} : { mistake: reply.mistake }),
      };
      kept.push(entry);
      // In bulk: moving thousands of entries at every request would be what the emulator does most.
      if (kept.length >= 2 * MAX_ENTRIES) kept = kept.slice(-MAX_ENTRIES);
      return entry;
    },
    entries: ({ since = 0, limit = MAX_ENTRIES } = {}) =>
      kept
        .slice(-MAX_ENTRIES)
        .filter((entry) => entry.sequence > since)
        .slice(0, limit),
    clear: () => {
      kept = [];
    },
  };
}

function redact(params: URLSearchParams): Readonly<Record<string, string>> {
  const pairs = [...params].slice(0, MAX_PARAMETERS).map(([name, value]): [string, string] => {
    const isSecret = SECRET_PARAMETERS.has(name.toLowerCase());
    return [name.slice(0, MAX_NAME_CHARACTERS), isSecret ? '[secret]' : shorten(value)];
  });
  return Object.fromEntries(pairs);
}

function shorten(value: string): string {
  return value.length > MAX_VALUE_CHARACTERS ? `${value.slice(0, MAX_VALUE_CHARACTERS)}…` : value;
}
