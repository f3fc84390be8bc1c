import { err, ok, type Result } from '../base/result.ts';
import { eraOf, findProtocolVersion, hasEnvelope, isModernVersion } from './era.ts';
import { type JsonRpcFault, jsonRpcCodes } from './errors.ts';
import { isRequest, isResponse, type JsonRpcMessage } from './json-rpc.ts';
import { targetOf } from './operation.ts';

/** The standard headers of MCP 2026-07-28 as received; undefined where absent. */
export interface McpHeaders {
  /** `MCP-Protocol-Version` */
  readonly protocolVersion?: string | undefined;
  /** `Mcp-Method` */
  readonly mcpMethod?: string | undefined;
  /** `Mcp-Name` */
  readonly mcpName?: string | undefined;
}

/** Methods whose target `Mcp-Name` repeats (SEP-2243; the tasks, SEP-2663). */
const namedMethods: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'tasks/get',
  'tasks/update',
  'tasks/cancel',
]);

/** Longer headers are refused before they are decoded. Room for a long resource URI in base64. */
const maxHeaderLength = 8192;

const sentinelStart = '=?base64?';
const sentinelEnd = '?=';
const canonicalBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Judges whether the headers of a modern request say what its body says (MCP 2026-07-28 Transports, SEP-2243).
 *
 * Our policy reads the body only, but a load balancer or a backend may route by the headers: a request that tells
 * the two different things must go nowhere. Legacy messages have no such headers and pass. The order of the checks
 * and their codes are those of the TypeScript SDK's server, so that a client sees the same with and without us.
 *
 * @returns a fault for HTTP 400: `-32020` for a header that is missing, different, undecodable or oversized;
 *   `-32602` for a modern header over a request without the envelope.
 */
export function checkHeaderAgreement(
  headers: McpHeaders,
  message: JsonRpcMessage,
): Result<undefined, JsonRpcFault> {
  if (isResponse(message)) return ok(undefined);
  const version = trimmed(headers.protocolVersion);
  if (eraOf(message, version) === 'legacy') return checkLegacy(version, message);

  const isAsked = isRequest(message);
  const claimed = findProtocolVersion(message);
  if (hasEnvelope(message) && claimed === undefined) return missingEnvelope(message);
  if (version === undefined ? isAsked : claimed !== undefined && version !== claimed) {
    return mismatch(message, 'MCP-Protocol-Version', version === undefined);
  }
  const method = trimmed(headers.mcpMethod);
  if (method === undefined ? isAsked : method !== message.method) {
    return mismatch(message, 'Mcp-Method', method === undefined);
  }
  return isAsked ? checkName(trimmed(headers.mcpName), message) : ok(undefined);
}

/**
 * The text of an `Mcp-Name` or `Mcp-Param-*` header: as it is, or decoded when it is `=?base64?…?=`.
 *
 * @returns undefined when it is too long, not printable ASCII, no canonical base64 or no UTF-8.
 */
export function decodeMcpHeader(header: string): string | undefined {
  if (header.length > maxHeaderLength || !/^[\t\x20-\x7e]*$/.test(header)) return undefined;
  if (!header.startsWith(sentinelStart) || !header.endsWith(sentinelEnd)) return header;
  if (header.length < sentinelStart.length + sentinelEnd.length) return undefined;
  const encoded = header.slice(sentinelStart.length, -sentinelEnd.length);
  if (!canonicalBase64.test(encoded)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(encoded, 'base64'));
  } catch {
    return undefined;
  }
}

function checkLegacy(version: string | undefined, message: JsonRpcMessage): Result<undefined, JsonRpcFault> {
  if (version === undefined || !isModernVersion(version) || !isRequest(message)) return ok(undefined);
  return message.method === 'initialize'
    ? mismatch(message, 'MCP-Protocol-Version', false)
    : missingEnvelope(message);
}

function checkName(header: string | undefined, message: JsonRpcMessage): Result<undefined, JsonRpcFault> {
  if (!isRequest(message) || !namedMethods.has(message.method)) return ok(undefined);
  const target = targetOf(message.method, message.params);
  if (header === undefined) return target === undefined ? ok(undefined) : mismatch(message, 'Mcp-Name', true);
  const decoded = decodeMcpHeader(header);
  if (decoded === undefined) return mismatch(message, 'Mcp-Name', false);
  // A body without a name is refused further on; until then the header has nothing to disagree with.
  return target === undefined || decoded === target ? ok(undefined) : mismatch(message, 'Mcp-Name', false);
}

/** @param header its name, as it is written in the specification. */
export function mismatch(
  message: JsonRpcMessage,
  header: string,
  isMissing: boolean,
): Result<undefined, JsonRpcFault> {
  return err({
    kind: 'header-mismatch',
    code: jsonRpcCodes.headerMismatch,
    message: `header ${header} ${isMissing ? 'is missing' : 'does not agree with the body'}`,
    id: isRequest(message) ? message.id : null,
    data: { header },
  });
}

function missingEnvelope(message: JsonRpcMessage): Result<undefined, JsonRpcFault> {
  return err({
    kind: 'missing-envelope',
    code: jsonRpcCodes.invalidParams,
    message: 'params._meta must name the protocol version that the MCP-Protocol-Version header names',
    id: isRequest(message) ? message.id : null,
  });
}

/** Without the optional white space around a field value (RFC 9110 §5.5), as the SDK compares it. */
export function trimmed(header: string | undefined): string | undefined {
  if (
    header === undefined ||
    !(isBlank(header.charCodeAt(0)) || isBlank(header.charCodeAt(header.length - 1)))
  )
    return header;
  return header.replace(/^[\t ]+/, '').replace(/(?<![\t ])[\t ]+$/, '');
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
