/** Graph's refusals: a status, a code and a sentence, and the body and headers every one of them has. */
import { AadstsError, entraTimestamp } from '../errors.ts';
import type { Realm } from '../realm.ts';
import { type EmulatorRequest, jsonReply, type Reply } from '../request.ts';

interface GraphErrorExtras {
  readonly retryAfterSeconds?: number;
  /** A claims challenge as JSON text: continuous access evaluation wants another token. */
  readonly claims?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One refusal of Graph. Thrown by whoever judges, answered in one place, alone or as an item of a batch. */
export class GraphError extends Error {
  readonly status: number;
  readonly code: string;
  readonly extras: GraphErrorExtras;

  constructor(status: number, code: string, message: string, extras: GraphErrorExtras = {}) {
    super(message);
    this.name = 'GraphError';
    this.status = status;
    this.code = code;
    this.extras = extras;
  }
}

export function denied(): GraphError {
  return new GraphError(
    403,
    'Authorization_RequestDenied',
    'Insufficient privileges to complete the operation.',
  );
}

/** @param name the id or name that was asked for, as it came */
export function notFound(name: string): GraphError {
  return new GraphError(
    404,
    'Request_ResourceNotFound',
    `Resource '${name.slice(0, 200)}' does not exist or one of its queried reference-property objects are not present.`,
  );
}

export function badRequest(message: string, code = 'Request_BadRequest'): GraphError {
  return new GraphError(400, code, message);
}

export function invalidToken(message: string, extras: GraphErrorExtras = {}): GraphError {
  return new GraphError(401, 'InvalidAuthenticationToken', message, extras);
}

/** @param retryAfterSeconds absent: Graph says nothing of when to come again, and a client has to guess */
export function throttled(retryAfterSeconds: number | undefined): GraphError {
  const extras = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new GraphError(429, 'TooManyRequests', 'Please retry again later.', extras);
}

/** A planned fault, in Graph's words: a sign-in error is a token Graph does not take. */
export function fromAadsts(error: AadstsError): GraphError {
  const { status, retryAfterSeconds, claims, message } = error;
  const extras = {
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(claims === undefined ? {} : { claims }),
  };
  if (status === 429) return throttled(retryAfterSeconds);
  const code = STATUS_CODES[status];
  if (code === undefined) return new GraphError(401, 'InvalidAuthenticationToken', message, extras);
  return new GraphError(status, code, message, extras);
}

const STATUS_CODES: Readonly<Record<number, string>> = {
  404: 'Request_ResourceNotFound',
  408: 'RequestTimeout',
  410: 'resyncRequired',
  500: 'InternalServerError',
  502: 'BadGateway',
  503: 'ServiceUnavailable',
  504: 'GatewayTimeout',
};

const CHALLENGE =
  'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"';

export function renderGraphError(realm: Realm, request: EmulatorRequest, error: GraphError): Reply {
  const { status, code, message, extras } = error;
  const date = entraTimestamp(realm.nowMs()).slice(0, 19).replace(' ', 'T');
  const ids = { 'request-id': request.traceId, 'client-request-id': request.correlationId };
  // A throttled answer tells the same twice: the inner error repeats status and text.
  const innerError =
    status === 429
      ? { code: '429', date, message: 'Please retry after', ...ids, status: '429' }
      : { date, ...ids };
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'request-id': request.traceId,
    ...extras.headers,
  };
  if (status === 401) headers['www-authenticate'] = CHALLENGE + renderClaims(extras.claims);
  if (extras.retryAfterSeconds !== undefined) headers['retry-after'] = String(extras.retryAfterSeconds);
  return jsonReply(status, { error: { code, message, innerError } }, headers);
}

function renderClaims(claims: string | undefined): string {
  if (claims === undefined) return '';
  return `, error="insufficient_claims", claims="${Buffer.from(claims).toString('base64')}"`;
}
