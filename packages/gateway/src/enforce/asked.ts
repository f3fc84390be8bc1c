import { andThen, type Eventually } from '@valetkey/core/base/eventually';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { checkBatchEra, type Era, eraOf } from '@valetkey/core/mcp/era';
import type { JsonRpcFault } from '@valetkey/core/mcp/errors';
import { checkHeaderAgreement } from '@valetkey/core/mcp/header-agreement';
import { type JsonRpcBody, parseJsonRpcBody } from '@valetkey/core/mcp/json-rpc';
import { type Operation, operationOf } from '@valetkey/core/mcp/operation';
import { findTraceContext, type TraceContext } from '@valetkey/core/mcp/trace-context';
import type { Limits } from '../config/config.ts';
import { type BodyRefusal, readBody } from '../http/body.ts';
import type { Exchange } from '../http/exchange.ts';
import { mcpMethods, type Stop, stop } from './refusal.ts';

/** What a request asks for, once it is known to be well-formed. Policy has not been asked yet. */
export interface Asked {
  /** Exactly what was judged; undefined for GET and DELETE. */
  readonly bytes: Uint8Array | undefined;
  readonly operations: readonly Operation[];
  readonly isBatch: boolean;
  readonly era: Era;
  /** What the message says of its trace; of a batch, the first one. */
  readonly trace?: TraceContext | undefined;
}

/**
 * Reads what is asked: method, media type, body, JSON-RPC, era, agreement of headers and body, in this order.
 *
 * @returns why not, or `client_gone` when the client left while it was sending: there is nobody to answer.
 */
export function readAsked(
  exchange: Exchange,
  limits: Pick<Limits, 'mcpBodyBytes' | 'requestTimeoutMs'>,
  allowed: readonly string[] = mcpMethods,
): Eventually<Result<Asked, Stop | 'client_gone'>> {
  const { method, req } = exchange;
  if (!allowed.includes(method)) return stop({ kind: 'wrong_method', allowed });
  if (method !== 'POST') return ok(askedWithoutBody(method));
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = req.headers;
  const isJson = type === 'application/json' || /^application\/json *(;|$)/i.test(type);
  if (!isJson || encoding !== 'identity') return stop({ kind: 'wrong_media_type' });
  return andThen(readBody(exchange, limits.mcpBodyBytes, limits.requestTimeoutMs), (body) =>
    readMessages(exchange, body),
  );
}

function readMessages(
  exchange: Exchange,
  body: Result<Uint8Array, BodyRefusal>,
): Result<Asked, Stop | 'client_gone'> {
  if (!body.ok) {
    if (body.error === 'aborted') return err('client_gone');
    return stop({ kind: body.error === 'timeout' ? 'body_too_slow' : 'body_too_large' });
  }
  const parsed = parseJsonRpcBody(body.value);
  if (!parsed.ok) return stop({ kind: 'bad_message', fault: parsed.error }, parsed.error.kind);
  const fault = findFault(exchange, parsed.value);
  if (fault !== undefined) return stop({ kind: 'bad_message', fault }, fault.kind);
  const { messages, isBatch } = parsed.value;
  const [first] = messages;
  const era =
    first === undefined || isBatch ? 'legacy' : eraOf(first, header(exchange, 'mcp-protocol-version'));
  const trace = first === undefined ? undefined : findTraceContext(first);
  return ok({ bytes: body.value, operations: messages.map(operationOf), isBatch, era, trace });
}

/** The event stream and the end of a session, both of the legacy era: they ask for the backend as such. */
function askedWithoutBody(method: string): Asked {
  const operation: Operation = { method: `http ${method}`, kind: 'notification' };
  return { bytes: undefined, operations: [operation], isBatch: false, era: 'legacy' };
}

function findFault(exchange: Exchange, body: JsonRpcBody): JsonRpcFault | undefined {
  const batch = checkBatchEra(body);
  if (!batch.ok) return batch.error;
  const headers = {
    protocolVersion: header(exchange, 'mcp-protocol-version'),
    mcpMethod: header(exchange, 'mcp-method'),
    mcpName: header(exchange, 'mcp-name'),
  };
  for (const message of body.messages) {
    const agreement = checkHeaderAgreement(headers, message);
    if (!agreement.ok) return agreement.error;
  }
  return undefined;
}

/** A header sent twice arrives joined by a comma, and so agrees with no body. */
function header({ req }: Exchange, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === 'object' ? value[0] : value;
}
