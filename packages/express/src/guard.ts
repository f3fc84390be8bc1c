/**
 * The policy inside an MCP server of the SDK: what is called is judged, lists are filtered, and each decision is one
 * record, as behind the gateway. It stands between the server and its transport, where both SDKs and both protocol eras
 * look the same, so it does not matter how the server was put together.
 */
import { err, ok, type Result } from '@valetkey/core/base/result';
import { type Era, eraOf } from '@valetkey/core/mcp/era';
import { jsonRpcCodes, jsonRpcError } from '@valetkey/core/mcp/errors';
import {
  isRequest,
  isResponse,
  type JsonRpcMessage,
  type JsonRpcNotification,
} from '@valetkey/core/mcp/json-rpc';
import { filterListResult, findListName } from '@valetkey/core/mcp/list-result';
import { type Operation, operationOf } from '@valetkey/core/mcp/operation';
import type { Policy } from '@valetkey/core/policy/decide';
import { answerRefusal } from '@valetkey/gateway/enforce/refusal';
import type { Admission } from './admission.ts';
import { type Call, findCall } from './call.ts';
import { speakerOf } from './session-owners.ts';

/** What is used of a transport: the same in SDK 1.x and 2.x. */
export interface GuardedTransport {
  onmessage?: ((message: never, extra?: never) => void) | undefined;
  onclose?: (() => void) | undefined;
  send(message: never, options?: never): Promise<void>;
}

export interface GuardOptions {
  /** Of this server, as it is now: `requires` of its tools included. */
  readonly policy: () => Policy;
  readonly isReadOnly: (tool: string) => boolean | undefined;
  readonly admissionOf: (resource: string) => Admission;
  readonly nowMs: () => number;
}

interface UnderWay {
  readonly call: Call;
  readonly operation: Operation;
  readonly startedMs: number;
  readonly era: Era;
}

/**
 * Put onto a transport that is connected: everything that goes through it from now on is judged.
 *
 * A transport belongs to the first person and client that speak through it: a session of the older protocol is found by
 * its id, and whoever presents somebody else's gets nothing of theirs (D14).
 */
export function guardTransport(transport: GuardedTransport, options: GuardOptions): void {
  const { admissionOf, nowMs } = options;
  const deliver = transport.onmessage as ((message: unknown, extra?: unknown) => void) | undefined;
  const send = transport.send.bind(transport) as (message: unknown, more?: unknown) => Promise<void>;
  const underWay = new Map<string | number, UnderWay>();
  const owner: { is?: string } = {};
  const { onclose } = transport;

  function judge(message: JsonRpcMessage, call: Call | undefined): Result<UnderWay, unknown> {
    const { id } = message as { readonly id?: string | number };
    if (call === undefined) return err(jsonRpcError(id, 401, 'Sign in to use this server'));
    // The session has ended, or another message of the same request was refused.
    if (call.refusal !== undefined) return err(answerRefusal(call.refusal, noContext).body);
    const speaker = speakerOf(call.principal);
    owner.is ??= speaker;
    if (owner.is !== speaker) return refuse(call, { kind: 'unknown_session', id });
    const operation = operationOf(message);
    if (isRequest(message) && underWay.has(message.id)) {
      // Whose answer is whose could not be said any more: neither what to filter nor what to record.
      const reason = 'id_in_use';
      const about = { event: 'mcp.call', outcome: 'error', reason, ...recorded(operation) } as const;
      admissionOf(call.resource).record(call, about);
      return refuse(call, { kind: 'bad_message', fault: { ...idInUse, id: message.id } });
    }
    const decision = options.policy().decide(call.principal, operation, options);
    if (!decision.allow) {
      const judged = [{ operation, decision }];
      admissionOf(call.resource).record(call, {
        event: 'access.denied',
        outcome: 'denied',
        reason: decision.reason,
        ...recorded(operation),
      });
      return refuse(call, { kind: 'denied', judged, isBatch: false });
    }
    return ok({ call, operation, startedMs: nowMs(), era: eraOf(message) });
  }

  /** A list as this person may see it. */
  function filtered(answer: unknown, { call, operation, era }: UnderWay): unknown {
    const policy = options.policy();
    if (findListName(operation.method) === undefined) return answer;
    return filterListResult(
      answer,
      policy.filteredLists,
      (list, name, isReadOnly) => policy.isVisible(call.principal, list, name, isReadOnly),
      era,
    );
  }

  /** In the status, where nothing of the answer has been sent; and in a message, for whoever only reads that. */
  function refuse(call: Call, refusal: NonNullable<Call['refusal']>): Result<never, unknown> {
    call.refusal ??= refusal;
    return err(answerRefusal(refusal, noContext).body);
  }

  function note(
    { call, operation, startedMs }: UnderWay,
    outcome: 'success' | 'error',
    reason?: string,
  ): void {
    admissionOf(call.resource).record(call, {
      event: 'mcp.call',
      outcome,
      durationMs: nowMs() - startedMs,
      ...(reason === undefined ? {} : { reason }),
      ...recorded(operation),
    });
  }

  /** The SDK answers no request that its client has given up. */
  function end(id: unknown, reason: 'cancelled' | 'client_gone'): void {
    const given = underWay.get(id as string);
    if (given === undefined) return;
    underWay.delete(id as string);
    note(given, 'error', reason);
  }

  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a transport of the SDK is no EventTarget
  transport.onmessage = ((message: JsonRpcMessage, extra: unknown) => {
    const judged = judge(message, findCall(extra));
    if (judged.ok && isNotification(message) && message.method === 'notifications/cancelled')
      end(message.params?.['requestId'], 'cancelled');
    if (!judged.ok) {
      // A notification has nobody to answer to.
      if (isRequest(message)) void send(judged.error, { relatedRequestId: message.id }).catch(() => {});
      return;
    }
    if (isRequest(message)) underWay.set(message.id, judged.value);
    deliver?.(message, extra);
  }) as GuardedTransport['onmessage'];

  transport.send = (message: { readonly id?: string | number; readonly method?: string }, more: unknown) => {
    const answered =
      message.method === undefined && message.id !== undefined ? underWay.get(message.id) : undefined;
    if (answered === undefined || message.id === undefined) return send(message, more);
    underWay.delete(message.id);
    note(answered, Object.hasOwn(message, 'error') ? 'error' : 'success');
    return send(filtered(message, answered), more);
  };

  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- as above
  transport.onclose = () => {
    for (const id of underWay.keys()) end(id, 'client_gone');
    onclose?.();
  };
}

const idInUse = {
  kind: 'invalid-message',
  code: jsonRpcCodes.invalidRequest,
  message: 'a request with this id has no answer yet',
} as const;

function isNotification(message: JsonRpcMessage): message is JsonRpcNotification {
  return !isResponse(message) && !isRequest(message);
}

/** Its challenges are for the status; here is only the body. */
const noContext = { resourceMetadataUrl: '', scopes: [] };

function recorded({ method, name }: Operation) {
  return { method, ...(name === undefined ? {} : { target: name }) };
}
