/**
 * Every way an MCP request can end without the backend's answer, and what the client sees of it: one map.
 *
 * Each body is a JSON-RPC error: a client takes a 4xx without one for a server of the old era and starts over with
 * `initialize` (MCP 2026-07-28 Versioning). Codes of our own are the HTTP status, outside the reserved range.
 */
import { err } from '@valetkey/core/base/result';
import {
  type JsonRpcErrorBody,
  type JsonRpcFault,
  type JsonRpcId,
  jsonRpcCodes,
  jsonRpcError,
} from '@valetkey/core/mcp/errors';
import type { Operation } from '@valetkey/core/mcp/operation';
import type { Decision, Denial } from '@valetkey/core/policy/decide';
import { createChallenge } from './challenge.ts';

/** One message of a body and what policy said of it. */
export interface Judged {
  readonly operation: Operation;
  readonly decision: Decision;
}

export type Refusal =
  | { readonly kind: 'no_token' }
  /** Malformed, forged, expired, revoked or for somebody else: which of them is for the audit only. */
  | { readonly kind: 'bad_token' }
  /** At least one of the messages is denied, so none of them goes on. */
  | { readonly kind: 'denied'; readonly judged: readonly Judged[]; readonly isBatch: boolean }
  /** Too long without the store, or it alone could tell: what was revoked, whose an MCP session is. */
  | { readonly kind: 'store_unavailable'; readonly id?: JsonRpcId | undefined }
  /** `allowed`: of an address that has not all of MCP's methods. */
  | { readonly kind: 'wrong_method'; readonly allowed?: readonly string[] }
  | { readonly kind: 'wrong_media_type' }
  | { readonly kind: 'body_too_large' }
  | { readonly kind: 'body_too_slow' }
  | { readonly kind: 'bad_message'; readonly fault: JsonRpcFault }
  | {
      readonly kind:
        | 'unknown_session'
        | 'unknown_stream'
        | 'unreachable'
        | 'busy'
        | 'timeout'
        | 'credential_refused'
        | 'unusable_answer';
      readonly id: JsonRpcId | undefined;
      readonly retryAfterSeconds?: number;
    }
  | {
      readonly kind: 'circuit_open' | 'credential_unavailable';
      readonly id: JsonRpcId | undefined;
      readonly retryAfterSeconds: number;
    }
  | { readonly kind: 'no_credential'; readonly id: JsonRpcId | undefined }
  /** Entra wants the person. Their session has ended, so a refresh is refused and the client starts a sign-in. */
  | { readonly kind: 'sign_in_again'; readonly id: JsonRpcId | undefined }
  | {
      readonly kind: 'not_entitled';
      readonly id: JsonRpcId | undefined;
      /** In our words, or the catalogue's of AADSTS codes. */
      readonly description: string;
    };

/** A refusal with the exact reason, which is for the audit only. */
export interface Stop {
  readonly refusal: Refusal;
  readonly reason: string;
}

export function stop(
  refusal: Refusal,
  reason: string = refusal.kind,
): { readonly ok: false; readonly error: Stop } {
  return err({ refusal, reason });
}

/** What every challenge of one backend names. */
export interface ChallengeContext {
  readonly resourceMetadataUrl: string;
  /** What a client should ask for at first. */
  readonly scopes: readonly string[];
}

export interface RefusalAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonRpcErrorBody | readonly JsonRpcErrorBody[];
}

/** Methods of the MCP endpoint over both eras (`Allow` of a 405). */
export const mcpMethods: readonly string[] = ['POST', 'GET', 'DELETE'];

/** The one map from a refusal to the wire. */
// oxlint-disable-next-line consistent-return -- the compiler proves that every kind is answered
export function answerRefusal(refusal: Refusal, context: ChallengeContext): RefusalAnswer {
  switch (refusal.kind) {
    case 'no_token':
      return withChallenge(plain(401, 'Sign in to use this server'), createChallenge(context));
    case 'bad_token': {
      const text = 'The access token is not valid here';
      const challenge = { ...context, error: 'invalid_token', errorDescription: text } as const;
      return withChallenge(plain(401, text), createChallenge(challenge));
    }
    case 'denied':
      return answerDenial(refusal.judged, refusal.isBatch, context);
    case 'store_unavailable':
      return {
        ...plain(
          503,
          'The server cannot reach its data at the moment; try again in a few seconds',
          refusal.id,
        ),
        headers: { 'Retry-After': '5' },
      };
    case 'wrong_method':
      return {
        ...plain(405, 'Method not allowed'),
        headers: { Allow: (refusal.allowed ?? mcpMethods).join(', ') },
      };
    case 'wrong_media_type':
      return plain(415, 'The body must be application/json, without a content encoding');
    case 'body_too_large':
      return plain(413, 'The request is too large');
    case 'body_too_slow':
      return plain(408, 'The request did not arrive in time');
    case 'bad_message': {
      const { id, code, message, data } = refusal.fault;
      return { status: 400, headers: {}, body: jsonRpcError(id, code, message, data) };
    }
    case 'unknown_session':
      // Upon 404 a client starts a new session (MCP 2025-11-25 Transports, Session Management).
      return plain(404, 'Session not found', refusal.id);
    case 'unknown_stream':
      return plain(
        404,
        'No stream of this session is open here. Open it anew; with several replicas, a stream and its messages must reach the same one',
        refusal.id,
      );
    case 'unreachable':
      return plain(502, 'The MCP server behind the gateway cannot be reached', refusal.id);
    case 'busy':
      return {
        ...plain(
          503,
          'The MCP server behind the gateway has no room at the moment; try again later',
          refusal.id,
        ),
        headers: { 'Retry-After': String(refusal.retryAfterSeconds ?? 30) },
      };
    case 'circuit_open':
      return {
        ...plain(503, 'The MCP server behind the gateway is not available; try again later', refusal.id),
        headers: { 'Retry-After': String(refusal.retryAfterSeconds) },
      };
    case 'credential_unavailable':
      return {
        ...plain(
          503,
          'The gateway cannot prove itself to the MCP server at the moment; try again later',
          refusal.id,
        ),
        headers: { 'Retry-After': String(refusal.retryAfterSeconds) },
      };
    case 'no_credential':
      return plain(
        502,
        'The gateway has no credential for the MCP server behind it; its operator must act',
        refusal.id,
      );
    case 'sign_in_again': {
      const text = 'Sign in again: the MCP server asks for more than your last sign-in brought';
      const challenge = { ...context, error: 'invalid_token', errorDescription: text } as const;
      return withChallenge(plain(401, text, refusal.id), createChallenge(challenge));
    }
    case 'not_entitled':
      return {
        status: 403,
        headers: {},
        body: jsonRpcError(refusal.id, jsonRpcCodes.accessDenied, `Access denied: ${refusal.description}`),
      };
    case 'timeout':
      return plain(504, 'The MCP server behind the gateway did not answer in time', refusal.id);
    case 'credential_refused':
      return plain(
        502,
        'The MCP server behind the gateway refused the gateway; its operator must act',
        refusal.id,
      );
    case 'unusable_answer':
      return plain(
        502,
        'The MCP server behind the gateway gave an answer that cannot be passed on',
        refusal.id,
      );
  }
}

/**
 * 403, whatever was missing. Scopes the client can ask for, so they come as a challenge (RFC 6750 §3.1); a role
 * only an administrator can give, so there is none: a client that took one would sign in again without end.
 */
function answerDenial(judged: readonly Judged[], isBatch: boolean, context: ChallengeContext): RefusalAnswer {
  const denials = judged.map(({ decision }) => decision).filter(isDenial);
  const errors = judged
    .filter(({ operation }) => operation.kind === 'request')
    .map(({ operation, decision }) => denialError(operation.id, decision));
  // Denied notifications and responses have no id to answer to.
  const orphan = jsonRpcError(null, jsonRpcCodes.accessDenied, denials[0]?.description ?? 'Not allowed');
  const single = errors[0] ?? orphan;
  const answer = { status: 403, headers: {}, body: isBatch && errors.length > 0 ? errors : single };
  if (denials.every(({ reason }) => reason === 'malformed_operation')) return { ...answer, status: 400 };
  if (!denials.every(({ reason }) => reason === 'insufficient_scope')) return answer;
  const challenge = {
    ...context,
    error: 'insufficient_scope',
    errorDescription: denials[0]?.description ?? '',
    scopes: [...new Set(denials.flatMap(({ missingScopes }) => missingScopes))],
  } as const;
  return withChallenge(answer, createChallenge(challenge));
}

function denialError(id: JsonRpcId | undefined, decision: Decision): JsonRpcErrorBody {
  if (decision.allow) {
    return jsonRpcError(id, jsonRpcCodes.accessDenied, 'Not run: another message of the batch was denied');
  }
  const { allow: _no, description, ...data } = decision;
  if (data.reason === 'malformed_operation') return jsonRpcError(id, jsonRpcCodes.invalidParams, description);
  return jsonRpcError(id, jsonRpcCodes.accessDenied, `Access denied: ${description}`, data);
}

function isDenial(decision: Decision): decision is Denial {
  return !decision.allow;
}

function plain(status: number, message: string, id?: JsonRpcId): RefusalAnswer {
  return { status, headers: {}, body: jsonRpcError(id, status, message) };
}

function withChallenge(answer: RefusalAnswer, challenge: string): RefusalAnswer {
  return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': challenge } };
}
