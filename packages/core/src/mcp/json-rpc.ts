/**
 * Room `mcp`: what an MCP message is and asks for: the JSON-RPC envelope, the operation, the protocol era, and
 * whether headers and body agree. Knows no person and no policy, and sends nothing.
 */
import { isUtf8 } from 'node:buffer';
import { asBuffer } from '../base/bytes.ts';
import { err, ok, type Result } from '../base/result.ts';
import { scanJson } from './duplicate-keys.ts';
import { type JsonRpcFault, type JsonRpcId, jsonRpcCodes } from './errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface JsonRpcRequest {
  readonly jsonrpc: '2.0';
  readonly id: JsonRpcId;
  readonly method: string;
  readonly params?: JsonObject;
}

export interface JsonRpcNotification {
  readonly jsonrpc: '2.0';
  readonly method: string;
  readonly params?: JsonObject;
}

/** An answer of the client to a request of the server (legacy eras only): `result` or `error`, never both. */
export interface JsonRpcResponse {
  readonly jsonrpc: '2.0';
  readonly id?: JsonRpcId | null;
  readonly result?: JsonObject;
  readonly error?: JsonObject;
}

export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse;

export interface JsonRpcBody {
  readonly messages: readonly JsonRpcMessage[];
  /** The body was an array, be it of one message (MCP 2025-03-26 only). */
  readonly isBatch: boolean;
}

export interface JsonRpcLimits {
  /** Nested objects and arrays, the outermost being 1. */
  readonly maxDepth: number;
  /** Messages in one batch. */
  readonly maxBatchMessages: number;
}

export const defaultJsonRpcLimits: JsonRpcLimits = { maxDepth: 64, maxBatchMessages: 50 };

/**
 * Reads the body of an MCP POST.
 *
 * Refuses whatever two parsers could read in two ways, because policy judges our reading and the backend obeys its
 * own: bytes that are not UTF-8, a byte order mark, keys that occur twice (see `scanJson`), a message that is both
 * request and response. The size of the body is the HTTP room's business.
 *
 * The whole body is parsed, since what was not read could be read otherwise by the backend: 1 µs of 300 bytes, 25 µs of
 * 64 KB. To pass over the arguments byte by byte took as long as the engine's own parser takes to read them.
 *
 * @returns the messages, or a fault for HTTP 400. Nothing of the body is repeated in it except the request's id.
 */
export function parseJsonRpcBody(
  body: Uint8Array | string,
  limits: JsonRpcLimits = defaultJsonRpcLimits,
): Result<JsonRpcBody, JsonRpcFault> {
  const text = typeof body === 'string' ? body : decodeUtf8(body);
  const json = text === undefined ? undefined : parseJson(text);
  if (text === undefined || json === undefined) {
    return refuse('unreadable', jsonRpcCodes.parseError, 'the body is not JSON in UTF-8');
  }
  const scanFault = scanJson(text, limits.maxDepth);
  if (scanFault === 'too-deep') {
    return refuse('too-deep', jsonRpcCodes.invalidRequest, `more than ${limits.maxDepth} nested levels`);
  }
  if (scanFault === 'duplicate-key') {
    return refuse('duplicate-key', jsonRpcCodes.invalidRequest, 'a key occurs twice in the message');
  }
  if (!Array.isArray(json.value)) return parseSingle(json.value);
  return parseBatch(json.value, limits.maxBatchMessages);
}

/** Whether the message asks for something and waits for the answer. */
export function isRequest(message: JsonRpcMessage): message is JsonRpcRequest {
  return 'method' in message && 'id' in message;
}

/** Whether the message is an answer to the server. */
export function isResponse(message: JsonRpcMessage): message is JsonRpcResponse {
  return !('method' in message);
}

/**
 * What a client asks for and must give an id (MCP Base Protocol, Requests). Without one it is a notification by its form
 * alone: some servers run it all the same, as work that nobody waits for and no bound counts. Methods of others than
 * MCP may be notifications.
 */
const requestMethods: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'completion/complete',
  'logging/setLevel',
  'tasks/list',
  'tasks/get',
  'tasks/result',
  'tasks/update',
  'tasks/cancel',
]);

function parseSingle(value: unknown): Result<JsonRpcBody, JsonRpcFault> {
  const fault = findFault(value);
  if (fault !== undefined) return refuse('invalid-message', jsonRpcCodes.invalidRequest, fault, idOf(value));
  return ok({ messages: [value as JsonRpcMessage], isBatch: false });
}

function parseBatch(values: readonly unknown[], maxMessages: number): Result<JsonRpcBody, JsonRpcFault> {
  if (values.length === 0) return refuse('invalid-message', jsonRpcCodes.invalidRequest, 'an empty batch');
  if (values.length > maxMessages) {
    return refuse(
      'batch-too-large',
      jsonRpcCodes.invalidRequest,
      `more than ${maxMessages} messages in a batch`,
    );
  }
  for (const [index, value] of values.entries()) {
    const fault = findFault(value);
    if (fault !== undefined) {
      return refuse(
        'invalid-message',
        jsonRpcCodes.invalidRequest,
        `message ${index} of the batch: ${fault}`,
      );
    }
  }
  return ok({ messages: values as readonly JsonRpcMessage[], isBatch: true });
}

/**
 * What keeps the value from being a message of JSON-RPC 2.0 as MCP narrows it; undefined for a good one. A member that is
 * undefined is not there, since JSON knows no such value; and no object has one of these names by itself.
 */
function findFault(value: unknown): string | undefined {
  if (!isJsonObject(value)) return 'expected an object';
  if (value['jsonrpc'] !== '2.0') return '`jsonrpc` must be "2.0"';
  return value['method'] === undefined ? findResponseFault(value) : findCallFault(value);
}

function findCallFault({ method, result, error, id, params }: JsonObject): string | undefined {
  if (typeof method !== 'string' || method === '') return '`method` must be text';
  if (result !== undefined || error !== undefined) return 'both a request and a response';
  if (id === undefined) {
    if (requestMethods.has(method)) return '`id` is missing: `method` is that of a request';
  } else if (!isId(id)) return '`id` must be text or a whole number';
  return params === undefined || isJsonObject(params) ? undefined : '`params` must be an object';
}

function findResponseFault(value: JsonObject): string | undefined {
  const { result, error, id } = value;
  if ((result === undefined) === (error === undefined)) {
    return 'expected `method`, or either `result` or `error`';
  }
  // A response to us, and a call to a backend whose parser matches keys without regard to case, as Go's does.
  if (Object.keys(value).some((key) => key.toUpperCase() === 'METHOD'))
    return 'both a request and a response';
  if (result !== undefined) {
    if (!isJsonObject(result)) return '`result` must be an object';
    return isId(id) ? undefined : '`id` must be text or a whole number';
  }
  if (!isJsonObject(error)) return '`error` must be an object';
  return id === undefined || id === null || isId(id) ? undefined : '`id` must be text or a whole number';
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  // A byte order mark stays in the text, where JSON.parse refuses it.
  return isUtf8(bytes) ? asBuffer(bytes).toString('utf8') : undefined;
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    // The engine's message quotes the body, so it goes no further.
    return undefined;
  }
}

/** Whole and exact: a number that our parser rounds would come back as another id. */
function isId(value: unknown): value is JsonRpcId {
  return typeof value === 'string' || Number.isSafeInteger(value);
}

function idOf(value: unknown): JsonRpcId | null {
  const id = isJsonObject(value) ? value['id'] : undefined;
  return isId(id) ? id : null;
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(
  kind: JsonRpcFault['kind'],
  code: number,
  message: string,
  id: JsonRpcId | null = null,
): { readonly ok: false; readonly error: JsonRpcFault } {
  return err({ kind, code, message, id });
}
