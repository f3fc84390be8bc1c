/** What the way to a backend takes and gives, whatever the backend speaks. */
import type { Result } from '@valetkey/core/base/result';
import type { Era } from '@valetkey/core/mcp/era';
import type { Principal } from '@valetkey/core/policy/principal';
import type { Exchange } from '../http/exchange.ts';
import type { RewriteMessage } from './response-filter.ts';

export interface ForwardRequest {
  readonly principal: Principal;
  /** The body as it was judged; undefined for GET and DELETE. */
  readonly body: Uint8Array | undefined;
  /** Sessions and resumption exist in the legacy era only; in the modern one their headers are dropped. */
  readonly era: Era;
  /** Present when the answer may hold a list that this person must not see whole. */
  readonly rewriteMessage?: RewriteMessage;
}

/** Why there is no answer of the backend. Nothing has been sent to the client; the caller does that. */
export type BackendFault =
  /** `Mcp-Session-Id` is not one that this person got from this backend: 404 */
  | 'unknown_session'
  /** whose session that is only the store knows, and it does not answer: 503 */
  | 'store_unavailable'
  /** the connection failed, or what came back is no HTTP: 502 */
  | 'unreachable'
  /** no first byte in time: 504 */
  | 'timeout'
  /** the backend does not accept the gateway's own credential: 502, the operator must act */
  | 'credential_refused'
  /** an answer that must not be passed on: a redirect, another person's session, a list that cannot be filtered */
  | 'unusable_answer'
  /** the client went away first: nobody is there to be answered */
  | 'client_gone';

export type StreamEnd = 'complete' | 'client_gone' | 'backend_lost';

export interface Forwarded {
  /** The backend's status; its headers are on their way. */
  readonly status: number;
  /** Settles, and never rejects, when the last byte is out or the stream has broken. */
  readonly ended: Promise<StreamEnd>;
}

export interface BackendProxy {
  /** Sends the request on. The answer streams to `exchange.res` from the first byte. */
  forward(exchange: Exchange, request: ForwardRequest): Promise<Result<Forwarded, BackendFault>>;
  /** Ends all connections to the backend, also those in use. */
  close(): Promise<void>;
}
