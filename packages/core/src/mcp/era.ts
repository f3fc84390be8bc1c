import { err, ok, type Result } from '../base/result.ts';
import { type JsonRpcFault, jsonRpcCodes } from './errors.ts';
import { isRequest, isResponse, type JsonObject, type JsonRpcBody, type JsonRpcMessage } from './json-rpc.ts';

/** Each modern request names its revision in `params._meta` under this key (MCP 2026-07-28 Versioning). */
export const protocolVersionKey = 'io.modelcontextprotocol/protocolVersion';

/**
 * `modern`: each message carries its own envelope, no sessions (2026-07-28 and later).
 * `legacy`: `initialize`, sessions, batches.
 */
export type Era = 'modern' | 'legacy';

const firstModernVersion = '2026-07-28';

/** Revisions are ISO dates, so text order is their order. */
export function isModernVersion(version: string): boolean {
  return version >= firstModernVersion;
}

/** Whether `params._meta` has the version key at all, with whatever value. */
export function hasEnvelope(message: JsonRpcMessage): boolean {
  const meta = metaOf(message);
  return meta !== undefined && Object.hasOwn(meta, protocolVersionKey);
}

/** The revision that the message itself names; undefined when it names none, or not as text. */
export function findProtocolVersion(message: JsonRpcMessage): string | undefined {
  const meta = metaOf(message);
  const version =
    meta !== undefined && Object.hasOwn(meta, protocolVersionKey) ? meta[protocolVersionKey] : undefined;
  return typeof version === 'string' ? version : undefined;
}

/**
 * The era of a message, from its body: a header may be absent or changed on the way and never decides for a
 * request. A notification has no envelope of its own, so there the `MCP-Protocol-Version` header does.
 */
export function eraOf(message: JsonRpcMessage, versionHeader?: string): Era {
  if (isResponse(message)) return 'legacy';
  if (message.method === 'initialize') {
    const version = findProtocolVersion(message);
    return version !== undefined && isModernVersion(version) ? 'modern' : 'legacy';
  }
  if (hasEnvelope(message)) return 'modern';
  if (isRequest(message) || versionHeader === undefined) return 'legacy';
  return isModernVersion(versionHeader.trim()) ? 'modern' : 'legacy';
}

/** Batches ended with 2025-03-26: one that holds a modern message is refused as a whole, as backends do. */
export function checkBatchEra(body: JsonRpcBody): Result<undefined, JsonRpcFault> {
  if (!body.isBatch || !body.messages.some(hasEnvelope)) return ok(undefined);
  return err({
    kind: 'modern-in-batch',
    code: jsonRpcCodes.invalidRequest,
    message: `a batch cannot hold messages of protocol revision ${firstModernVersion} or later`,
    id: null,
  });
}

export function metaOf(message: JsonRpcMessage): JsonObject | undefined {
  if (isResponse(message)) return undefined;
  const { params } = message;
  const meta = params !== undefined && Object.hasOwn(params, '_meta') ? params['_meta'] : undefined;
  return isObject(meta) ? meta : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
