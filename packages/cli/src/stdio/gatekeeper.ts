/**
 * Stands between a client and a stdio server on the person's machine: whose call it is, whether policy allows it, what
 * is passed on. Handles parsed messages; knows no process and no stream.
 */
import { redact } from '@valetkey/core/base/redact';
import type { Result } from '@valetkey/core/base/result';
import { type Era, eraOf } from '@valetkey/core/mcp/era';
import { type JsonRpcErrorBody, type JsonRpcId, jsonRpcCodes, jsonRpcError } from '@valetkey/core/mcp/errors';
import { isRequest, isResponse, type JsonObject, type JsonRpcMessage } from '@valetkey/core/mcp/json-rpc';
import { filterListResult, findListName, type IsVisible, readToolList } from '@valetkey/core/mcp/list-result';
import { type Operation, operationOf } from '@valetkey/core/mcp/operation';
import { withOwnMeta } from '@valetkey/core/mcp/own-meta';
import type { Denial, Policy } from '@valetkey/core/policy/decide';
import { createLearnedTools } from '@valetkey/core/policy/known-tools';
import type { Principal } from '@valetkey/core/policy/principal';
import type { AuditEvent } from '@valetkey/gateway/audit/event';

/** Who is calling, and what the server is told of it. */
export interface Caller {
  readonly principal: Principal;
  /** For `params._meta`. */
  readonly meta: JsonObject;
}

export interface GatekeeperOptions {
  readonly policy: Policy;
  /** Signs the person in where needed. */
  readonly findCaller: (signal: AbortSignal) => Promise<Result<Caller, string>>;
  readonly backend: string;
  readonly toClient: (message: unknown) => void;
  readonly toServer: (message: unknown) => void;
  readonly record: (event: AuditEvent) => void;
  readonly newId: () => string;
  readonly nowMs: () => number;
}

export interface Gatekeeper {
  /** A message of the client. Resolves when it was passed on or answered. */
  fromClient(message: JsonRpcMessage): Promise<void>;
  /** A message of the server. */
  fromServer(message: JsonRpcMessage): void;
  /** The server has gone: what waits is answered, sign-ins end. */
  close(): void;
}

interface Waiting {
  readonly operation: Operation;
  readonly era: Era;
  readonly abort: AbortController;
  readonly startedMs: number;
  readonly correlationId: string;
  caller?: Caller;
  wasSent?: boolean;
}

/** The handshake: a client must be able to connect before its person has signed in. */
const free = new Set(['initialize', 'ping', 'server/discover']);
/** Ours: nobody is signed in. Outside the range that JSON-RPC reserves. */
const notSignedInCode = 401;
export function createGatekeeper(options: GatekeeperOptions): Gatekeeper {
  const { policy, toClient, toServer } = options;
  const waiting = new Map<JsonRpcId, Waiting>();
  const learned = createLearnedTools();

  async function judgeRequest(message: JsonRpcMessage, id: JsonRpcId, entry: Waiting): Promise<void> {
    if (free.has(entry.operation.method)) return send(message, entry);
    const caller = await options.findCaller(entry.abort.signal);
    // Cancelled while it waited: a cancelled request has no answer (MCP Cancellation).
    if (waiting.get(id) !== entry) return;
    if (!caller.ok) {
      note(entry, 'denied', 'not_signed_in');
      waiting.delete(id);
      return toClient(refuseUnsigned(id, entry.operation, caller.error));
    }
    entry.caller = caller.value;
    const decision = policy.decide(caller.value.principal, entry.operation, learned);
    if (decision.allow) return send(message, entry, caller.value);
    note(entry, 'denied', decision.reason);
    waiting.delete(id);
    toClient(refuseDenied(id, decision));
  }

  function send(message: JsonRpcMessage, entry: Waiting, caller?: Caller): void {
    entry.wasSent = true;
    toServer(withOwnMeta(message, caller?.meta ?? {}));
  }

  function note(entry: Waiting, outcome: AuditEvent['outcome'], reason?: string): void {
    options.record(describeCall(options, entry, outcome, reason));
  }

  async function judgeNotification(message: JsonRpcMessage, operation: Operation): Promise<void> {
    if (operation.method === 'notifications/cancelled') {
      const entry = cancelOf(message, waiting);
      if (entry !== undefined && entry.wasSent !== true) return;
    }
    // Some servers run a call that came as a notification.
    if (operation.method.startsWith('notifications/')) return toServer(withOwnMeta(message, {}));
    const entry = createWaiting(options, message, operation);
    const caller = await options.findCaller(entry.abort.signal);
    if (!caller.ok) return note(entry, 'denied', 'not_signed_in');
    entry.caller = caller.value;
    const decision = policy.decide(caller.value.principal, operation, learned);
    if (!decision.allow) return note(entry, 'denied', decision.reason);
    note(entry, 'success');
    toServer(withOwnMeta(message, caller.value.meta));
  }

  return {
    async fromClient(message) {
      if (isResponse(message)) return toServer(message);
      const operation = operationOf(message);
      if (!isRequest(message)) return judgeNotification(message, operation);
      if (waiting.has(message.id)) {
        const text = 'a request with this id is still open';
        return toClient(jsonRpcError(message.id, jsonRpcCodes.invalidRequest, text));
      }
      const entry = createWaiting(options, message, operation);
      waiting.set(message.id, entry);
      await judgeRequest(message, message.id, entry);
    },
    fromServer(message) {
      if (!isResponse(message)) return toClient(message);
      const entry = findSent(waiting, message.id);
      // An answer to nothing: a client might take it for the answer to a request of its own that was refused.
      if (entry === undefined || message.id === undefined || message.id === null) return;
      waiting.delete(message.id);
      const { caller, operation, era } = entry;
      if (caller !== undefined) note(entry, 'error' in message ? 'error' : 'success');
      if (operation.method === 'tools/list') learned.learn(readToolList(message) ?? []);
      if (findListName(operation.method) === undefined || caller === undefined) return toClient(message);
      const { filteredLists, isVisible } = policy;
      const isTheirs: IsVisible = (list, name, isReadOnly) =>
        isVisible(caller.principal, list, name, isReadOnly);
      toClient(filterListResult(message, filteredLists, isTheirs, era));
    },
    close() {
      for (const [id, entry] of waiting) {
        entry.abort.abort();
        if (entry.caller !== undefined) note(entry, 'error', 'server_ended');
        toClient(jsonRpcError(id, jsonRpcCodes.backendUnavailable, 'The MCP server has ended'));
      }
      waiting.clear();
    },
  };
}

function findSent(waiting: ReadonlyMap<JsonRpcId, Waiting>, id: JsonRpcId | null | undefined) {
  const entry = id === null || id === undefined ? undefined : waiting.get(id);
  return entry?.wasSent === true ? entry : undefined;
}

function createWaiting(options: GatekeeperOptions, message: JsonRpcMessage, operation: Operation): Waiting {
  return {
    operation,
    era: eraOf(message),
    abort: new AbortController(),
    startedMs: options.nowMs(),
    correlationId: options.newId(),
  };
}

/** The request that a cancellation names. One that still waits for its person waits no longer. */
function cancelOf(message: JsonRpcMessage, waiting: Map<JsonRpcId, Waiting>): Waiting | undefined {
  const id = 'params' in message ? message.params?.['requestId'] : undefined;
  if (typeof id !== 'string' && typeof id !== 'number') return undefined;
  const entry = waiting.get(id);
  if (entry === undefined || entry.wasSent === true) return entry;
  waiting.delete(id);
  entry.abort.abort();
  return entry;
}

function refuseDenied(id: JsonRpcId, decision: Denial): JsonRpcErrorBody {
  const { allow: _no, description, ...data } = decision;
  return jsonRpcError(id, jsonRpcCodes.accessDenied, `Not allowed: ${description}`, data);
}

/** To a tool call a tool's error, which the model reads and the person sees; to everything else an error. */
function refuseUnsigned(id: JsonRpcId, operation: Operation, reason: string): unknown {
  const text = redact(reason);
  if (operation.method !== 'tools/call') return jsonRpcError(id, notSignedInCode, text);
  return { jsonrpc: '2.0', id, result: { isError: true, content: [{ type: 'text', text }] } };
}

function describeCall(
  { backend, nowMs }: GatekeeperOptions,
  { operation, caller, startedMs, correlationId }: Waiting,
  outcome: AuditEvent['outcome'],
  reason: string | undefined,
): AuditEvent {
  const { tenantId, objectId, clientId } = caller?.principal ?? {};
  return {
    event: outcome === 'denied' ? 'access.denied' : 'mcp.call',
    outcome,
    correlationId,
    backend,
    method: operation.method,
    durationMs: Math.round(nowMs() - startedMs),
    ...(operation.name === undefined ? {} : { target: operation.name }),
    ...(reason === undefined ? {} : { reason }),
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(objectId === undefined ? {} : { objectId }),
    ...(clientId === undefined ? {} : { clientId }),
  };
}
