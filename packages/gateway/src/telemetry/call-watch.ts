import type { TraceContext } from '@valetkey/core/mcp/trace-context';
import type { BackendRules } from '@valetkey/core/policy/rules';
import type { Exchange } from '../http/exchange.ts';

/** The backend of a call, as far as it is told. */
export interface WatchedBackend {
  readonly name: string;
  readonly upstream?: string | undefined;
  readonly rules: Pick<BackendRules, 'tools'>;
}

/** Begins to watch the calls of one backend. */
export type WatchCall = (backend: WatchedBackend) => (exchange: Exchange) => CallWatch;

/** One MCP request on its way through the gateway: told where it is, in this order. */
export interface CallWatch {
  /** The bearer token has been judged. @param clientId undefined: it was refused. */
  authenticated(clientId: string | undefined): void;
  asked(asked: WatchedRequest): void;
  /** Policy has decided. */
  judged(): void;
  /** For the way to the backend. */
  readonly forwarding: ForwardWatch;
  /** The answer is out; or open, where it lasts. */
  ended(end: WatchedEnd): void;
  /** A stream that lasts has been opened. @returns call it when it has ended. */
  streaming(): () => void;
}

export interface WatchedRequest {
  readonly operations: readonly { readonly method: string; readonly name?: string }[];
  /** What the message's own `_meta` says of its trace. */
  readonly trace?: TraceContext | undefined;
}

export interface WatchedEnd {
  readonly outcome: 'success' | 'denied' | 'error';
  readonly reason?: string | undefined;
  readonly httpStatus?: number | undefined;
}

export interface ForwardWatch {
  /** Just before the request goes out. @returns headers that take the place of the client's own `traceparent`. */
  sending(): readonly string[];
  /** The head of the answer is there, or there is none. */
  answered(answer: { readonly status: number } | { readonly fault: string }): void;
}
