/** What was asked of the emulator, for tests to assert on. Secrets never enter it: they are cut before they are kept. */
import type { EmulatorRequest, Reply } from './request.ts';

export interface RequestLogEntry {
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

const SECRET_PARAMETERS: ReadonlySet<string> = new Set([
  'client_secret',
  'client_assertion',
  'assertion',
  'code',
  'code_verifier',
  'refresh_token',
  'passwd',
  'ctx',
  'id_token_hint',
  'device_code',
]);
const MAX_ENTRIES = 5_000;

export interface RequestLog {
  add(request: EmulatorRequest, reply: Reply, atMs: number): RequestLogEntry;
  entries(): readonly RequestLogEntry[];
  clear(): void;
}

export function createRequestLog(): RequestLog {
  let kept: RequestLogEntry[] = [];
  return {
    add(request, reply, atMs) {
      const { method, path, correlationId } = request;
      const entry = {
        atMs,
        method,
        path,
        query: redact(request.query),
        form: redact(request.form),
        status: reply.status,
        correlationId,
        ...(reply.mistake === undefined ? {} : { mistake: reply.mistake }),
      };
      kept = [...kept.slice(-MAX_ENTRIES + 1), entry];
      return entry;
    },
    entries: () => kept,
    clear: () => {
      kept = [];
    },
  };
}

function redact(params: URLSearchParams): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...params].map(([name, value]) => [name, SECRET_PARAMETERS.has(name) ? '[secret]' : value]),
  );
}
