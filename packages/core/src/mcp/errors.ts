/** JSON-RPC 2.0 §5.1, and those that MCP 2026-07-28 defines. Nothing else may be sent in -32768…-32000. */
export const jsonRpcCodes = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  headerMismatch: -32020,
  missingClientCapability: -32021,
  unsupportedProtocolVersion: -32022,
  /** Ours: policy refused the operation. Outside the reserved range, as MCP asks of application codes. */
  accessDenied: 403,
  /** Ours: the backend did not answer, or not in time. */
  backendUnavailable: 502,
} as const;

export type JsonRpcId = string | number;

export interface JsonRpcErrorBody {
  readonly jsonrpc: '2.0';
  /** Null when the request's id could not be read (JSON-RPC 2.0 §5). */
  readonly id: JsonRpcId | null;
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** Why a message is refused before any backend sees it: HTTP 400 with `jsonRpcError(id, code, message, data)`. */
export interface JsonRpcFault {
  readonly kind:
    | 'unreadable'
    | 'too-deep'
    | 'duplicate-key'
    | 'batch-too-large'
    | 'invalid-message'
    | 'header-mismatch'
    | 'missing-envelope'
    | 'modern-in-batch';
  readonly code: number;
  /** Safe to send: never repeats what the client sent. */
  readonly message: string;
  readonly id: JsonRpcId | null;
  readonly data?: unknown;
}

/**
 * The body of an error answer.
 *
 * Protocol refusals always carry one: a client takes a 4xx without a JSON-RPC body for an old server and falls
 * back to `initialize` (MCP 2026-07-28 Versioning).
 */
export function jsonRpcError(
  id: JsonRpcId | null | undefined,
  code: number,
  message: string,
  data?: unknown,
): JsonRpcErrorBody {
  const error = data === undefined ? { code, message } : { code, message, data };
  return { jsonrpc: '2.0', id: id ?? null, error };
}

/** The HTTP status that goes with a code of ours or of MCP; 400 where the specification names none. */
export function httpStatusOf(code: number): number {
  switch (code) {
    case jsonRpcCodes.methodNotFound:
      return 404;
    case jsonRpcCodes.internalError:
      return 500;
    case jsonRpcCodes.accessDenied:
      return 403;
    case jsonRpcCodes.backendUnavailable:
      return 502;
    default:
      return 400;
  }
}
