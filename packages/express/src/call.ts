/**
 * One authenticated request: who calls, and what may still become of its answer. It travels where the MCP SDK lets
 * verified facts travel, in `authInfo`, never in a message (D27).
 */
import type { Principal } from '@valetkey/core/policy/principal';
import type { Refusal } from '@valetkey/gateway/enforce/refusal';
import type { VerifiedToken } from '@valetkey/gateway/enforce/verify-token';
import type { Exchange } from '@valetkey/gateway/http/exchange';

/** What the MCP SDK calls `AuthInfo`, of 1.x and 2.x alike. Ours has all of it, and `principal` in `extra`. */
export interface AuthInfo {
  token: string;
  clientId: string;
  scopes: string[];
  /** Seconds since the epoch (D26). */
  expiresAt?: number;
  resource?: URL;
  resourceMetadataUrl?: string;
  extra?: Record<string, unknown>;
}

export interface Call {
  readonly principal: Principal;
  readonly verified: VerifiedToken;
  /** The protected resource that the request was sent to. */
  readonly resource: string;
  readonly exchange: Exchange;
  /** The bearer token, when it is one of Entra's own. */
  readonly entraToken?: string;
  /** Takes the place of the answer, as long as none of that has been sent. The first one counts. */
  refusal?: Refusal;
  /** With it: what the next sign-in has to show, for clients that speak to Entra themselves. */
  claims?: string;
}

/**
 * Where a call is found: a request that passed the guard (`req.auth`), the context of a tool in SDK 2.x
 * (`ctx.http.authInfo`) or 1.x (`extra.authInfo`), the context of a server factory, or an `AuthInfo` itself.
 */
export type CallSource = object;

/** Nobody is known here: the request came past the guard, or the handler stands before it. */
export class NotAuthenticated extends Error {
  override readonly name = 'NotAuthenticated';

  constructor() {
    super('this request has not passed Valetkey: put requireBearerAuth() or serve() before its handler');
  }
}

/** Not a string: a symbol is left out of JSON, and no message can bring one. */
const callKey = Symbol('valetkey.call');

export function createAuthInfo(call: Call, token: string, resourceMetadataUrl: string): AuthInfo {
  const { principal, verified, resource } = call;
  return {
    token,
    clientId: principal.clientId,
    scopes: [...principal.scopes],
    expiresAt: verified.expiresAtSeconds,
    resource: new URL(resource),
    resourceMetadataUrl,
    extra: { principal, [callKey]: call },
  };
}

/** @throws NotAuthenticated */
export function callOf(source: CallSource): Call {
  const found = findCall(source);
  if (found === undefined) throw new NotAuthenticated();
  return found;
}

export function findCall(source: unknown): Call | undefined {
  const places = [
    source,
    read(source, 'auth'),
    read(source, 'authInfo'),
    read(read(source, 'http'), 'authInfo'),
  ];
  for (const place of places) {
    const call = read(read(place, 'extra'), callKey);
    if (call !== undefined) return call as Call;
  }
  return undefined;
}

function read(value: unknown, key: string | symbol): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, key) as unknown) : undefined;
}
