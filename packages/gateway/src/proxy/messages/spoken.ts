import { onOneLine, parseForRewriting } from '@valetkey/core/mcp/faithful-json';
import type { JsonObject, JsonRpcMessage } from '@valetkey/core/mcp/json-rpc';

/** One message as it is understood, and as it was written. */
export interface Spoken {
  readonly message: JsonRpcMessage;
  /** On one line. */
  readonly text: string;
  /** The gateway's own: nobody in particular is behind it. */
  readonly isOurs?: true;
}

/** @param body judged before: JSON-RPC messages in UTF-8. */
export function readSpoken(body: Uint8Array): Spoken[] {
  const text = new TextDecoder().decode(body);
  const value = JSON.parse(text) as JsonRpcMessage | JsonRpcMessage[];
  if (!Array.isArray(value)) return [{ message: value, text: onOneLine(text) }];
  const written = parseForRewriting(text) as unknown[];
  return value.map((message, index) => ({ message, text: JSON.stringify(written[index]) }));
}

export type Change = (message: JsonObject) => JsonObject;

/** The text with the changes made and all else as it was. */
export function changeText(text: string, changes: readonly Change[]): string {
  if (changes.length === 0) return text;
  let message = parseForRewriting(text) as JsonObject;
  for (const change of changes) message = change(message);
  return JSON.stringify(message);
}

/** `message.params` with `_meta` in it changed. */
export function withMetaMember(message: JsonObject, key: string, value: unknown): JsonObject {
  const params = (message['params'] ?? {}) as JsonObject;
  const meta = (params['_meta'] ?? {}) as JsonObject;
  return { ...message, params: { ...params, _meta: { ...meta, [key]: value } } };
}

export function withParam(message: JsonObject, key: string, value: unknown): JsonObject {
  return { ...message, params: { ...(message['params'] as JsonObject), [key]: value } };
}

/** A member of `params`, or of `params._meta`. */
export function findParam(message: JsonObject, key: string): unknown {
  return member(message['params'], key);
}

export function findMeta(message: JsonObject, key: string): unknown {
  return member(findParam(message, '_meta'), key);
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as JsonObject)[key]
    : undefined;
}
