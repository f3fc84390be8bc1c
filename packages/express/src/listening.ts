/**
 * `subscriptions/listen`, which the SDK answers before any server of ours is connected: no transport sees it, so it is
 * judged and recorded at the door. Its header tells it from other requests; the SDK refuses one whose body says otherwise.
 */
import { type JsonRpcMessage, parseJsonRpcBody } from '@valetkey/core/mcp/json-rpc';
import { type Operation, operationOf } from '@valetkey/core/mcp/operation';
import { findRawHeader } from '@valetkey/gateway/http/raw-headers';
import type { Admission } from './admission.ts';
import type { Call } from './call.ts';
import type { Front } from './front.ts';

const method = 'subscriptions/listen';

/**
 * @param body as received, or as a parser before us has left it; undefined: nobody has read it. Then it cannot be said
 *   what is listened to, which is enough only where no rule is about resources.
 * @returns whether the request may go on; false: it has been answered.
 */
export function admitListening(
  { policy }: Pick<Front, 'policy'>,
  admission: Admission,
  call: Call,
  body: unknown,
): boolean {
  const { exchange, principal } = call;
  if (exchange.method !== 'POST' || findRawHeader(exchange.req.rawHeaders, 'mcp-method') !== method)
    return true;
  const operation = findOperation(body);
  const decision = policy.decide(principal, operation);
  if (decision.allow) {
    admission.record(call, { event: 'mcp.call', outcome: 'success', method });
    return true;
  }
  const refusal = { kind: 'denied', judged: [{ operation, decision }], isBatch: false } as const;
  const httpStatus = admission.refuse(exchange, refusal);
  const { reason } = decision;
  admission.record(call, { event: 'access.denied', outcome: 'denied', reason, httpStatus, method });
  return false;
}

function findOperation(body: unknown): Operation {
  const text = body instanceof Uint8Array ? body : JSON.stringify(body ?? null);
  const parsed = parseJsonRpcBody(text);
  const [only]: readonly (JsonRpcMessage | undefined)[] = parsed.ok ? parsed.value.messages : [];
  const operation = only === undefined ? undefined : operationOf(only);
  return operation?.method === method ? operation : { method, kind: 'request', uris: [undefined] };
}
