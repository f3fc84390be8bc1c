import { isRequest, isResponse, type JsonObject, type JsonRpcMessage } from './json-rpc.ts';

/**
 * What one JSON-RPC message asks of a backend.
 *
 * `name` is set where MCP names a target: the tool of `tools/call`, the prompt of `prompts/get`, the URI of
 * `resources/read`, `resources/subscribe` and `resources/unsubscribe`, the completion's prompt or template, the
 * id of a task.
 */
export interface Operation {
  /** Empty for a response. */
  readonly method: string;
  readonly name?: string;
  /** JSON-RPC id; undefined for a notification or a response. */
  readonly id?: string | number;
  readonly kind: 'request' | 'notification' | 'response';
}

type TargetField = 'name' | 'uri' | 'taskId';

/** The member of `params` that names the target. A Map, because methods such as `constructor` arrive too. */
const targetFields: ReadonlyMap<string, TargetField> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['resources/subscribe', 'uri'],
  ['resources/unsubscribe', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
  ['tasks/result', 'taskId'],
]);

/** What a message asks for. Total: a target that is missing or no text simply is no `name`. */
export function operationOf(message: JsonRpcMessage): Operation {
  if (isResponse(message)) return { method: '', kind: 'response' };
  const { method, params } = message;
  const name = targetOf(method, params);
  const named = name === undefined ? { method } : { method, name };
  return isRequest(message)
    ? { ...named, id: message.id, kind: 'request' }
    : { ...named, kind: 'notification' };
}

/** The name that `params` gives the target of a method; undefined where there is none, or it is no text. */
export function targetOf(method: string, params: JsonObject | undefined): string | undefined {
  if (params === undefined) return undefined;
  if (method === 'completion/complete') return completionTarget(params);
  const field = targetFields.get(method);
  return field === undefined ? undefined : ownText(params, field);
}

function completionTarget(params: JsonObject): string | undefined {
  const ref = Object.hasOwn(params, 'ref') ? params['ref'] : undefined;
  if (typeof ref !== 'object' || ref === null) return undefined;
  return ownText(ref, 'name') ?? ownText(ref, 'uri');
}

function ownText(value: object, key: string): string | undefined {
  const found: unknown = Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
  return typeof found === 'string' ? found : undefined;
}
