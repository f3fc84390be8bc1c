/** What the way to a backend takes and gives, whatever the backend speaks. */
import type { Eventually } from '@valetkey/core/base/eventually';
import type { Result } from '@valetkey/core/base/result';
import type { Era } from '@valetkey/core/mcp/era';
import type { Principal } from '@valetkey/core/policy/principal';
import type { Exchange } from '../http/exchange.ts';
import type { ForwardWatch } from '../telemetry/call-watch.ts';
import type { Load } from './resilience/capacity.ts';
import type { RewriteMessage } from './response-filter.ts';

export interface ForwardRequest {
  readonly principal: Principal;
  /** The body as it was judged; undefined for GET and DELETE. */
  readonly body: Uint8Array | undefined;
  /** Sessions and resumption exist in the legacy era only; in the modern one their headers are dropped. */
  readonly era: Era;
  /** What it takes of the backend's capacity; undefined: nothing, as a notification. */
  readonly load?: Load | undefined;
  /** Asked when it had to wait for its turn: whether it may go out still. Never rejects. Default: it may. */
  readonly mayStill?: (() => Eventually<boolean>) | undefined;
  /** Present when the answer may hold a list that this person must not see whole. */
  readonly rewriteMessage?: RewriteMessage | undefined;
  /** Told when the request goes out and when its answer comes. */
  readonly watch?: ForwardWatch | undefined;
}

/**
 * Why there is no answer of the backend. Nothing has been sent to the client; the caller does that.
 * Where a client needs to know more than why, the fault is a `DetailedFault`.
 */
export type BackendFault =
  /** `Mcp-Session-Id` is not one that this person got from this backend: 404 */
  | 'unknown_session'
  /** a message for a stream of revision 2024-11-05 that is not open here, or is somebody else's: 404 */
  | 'unknown_stream'
  /** whose session that is only the store knows, and it does not answer: 503 */
  | 'store_unavailable'
  /** the connection failed, or what came back is no HTTP: 502 */
  | 'unreachable'
  /** the bound on what runs or is open for this backend is reached: 503, and later there may be room */
  | 'busy'
  /** it waited for its turn, and the right to it ended meanwhile: `mayStill` said so, and who gave it knows why */
  | 'lapsed'
  /** no first byte in time: 504 */
  | 'timeout'
  /** the backend does not accept the gateway's own credential: 502, the operator must act */
  | 'credential_refused'
  /** an answer that must not be passed on: a redirect, another person's session, a list that cannot be filtered */
  | 'unusable_answer'
  /** the gateway's own credential could not be had, and waiting does not help: 502, the operator must act */
  | 'no_credential'
  /** the client went away first: nobody is there to be answered */
  | 'client_gone'
  | DetailedFault;

export type DetailedFault =
  /** as `busy` above, with when there may be room; nothing is sent to a backend that did not answer a moment ago: 503 */
  | { readonly kind: 'busy' | 'circuit_open'; readonly retryAfterSeconds: number }
  /** the credential could not be had just now: 503 */
  | { readonly kind: 'credential_unavailable'; readonly retryAfterSeconds: number }
  /** Entra gives no token for the backend before the person has signed in anew: 401. The session has ended. */
  | { readonly kind: 'sign_in_again'; readonly reason: string }
  /** Entra gives this person no token for the backend, and another sign-in would not change that: 403 */
  | { readonly kind: 'not_entitled'; readonly reason: string; readonly description: string };

/** For the audit and the log. */
export function faultName(fault: BackendFault): string {
  return typeof fault === 'string' ? fault : fault.kind;
}

export type StreamEnd = 'complete' | 'client_gone' | 'backend_lost';

export interface Forwarded {
  /** The backend's status; its headers are on their way. */
  readonly status: number;
  /** Settles, and never rejects, when the last byte is out or the stream has broken. */
  readonly ended: Promise<StreamEnd>;
  /** Present where that is known already. */
  readonly end?: StreamEnd;
}

export interface BackendProxy {
  /** Sends the request on. The answer streams to `exchange.res` from the first byte. */
  forward(exchange: Exchange, request: ForwardRequest): Promise<Result<Forwarded, BackendFault>>;
  /** Ends all connections to the backend, also those in use. */
  close(): Promise<void>;
}
