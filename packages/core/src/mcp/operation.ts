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
  /** What `name` is, in a completion; undefined where its `ref` says neither. */
  readonly ref?: 'prompt' | 'resource';
  /** What `subscriptions/listen` wants to hear of: resource URIs, or what stands in their place. */
  readonly uris?: readonly unknown[];
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
  const named = { method, ...(name === undefined ? {} : { name }), ...detailsOf(method, params) };
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

function detailsOf(method: string, params: JsonObject = {}): Pick<Operation, 'ref' | 'uris'> {
  if (method === 'subscriptions/listen') return { uris: subscribedUris(params) };
  const type = method === 'completion/complete' ? ownText(ownObject(params, 'ref'), 'type') : undefined;
  if (type === 'ref/prompt') return { ref: 'prompt' };
  return type === 'ref/resource' ? { ref: 'resource' } : {};
}

/**
 * What cannot be understood stands as an entry that is no URI, so that it is judged, and not taken for nothing: a filter
 * that is missing, a list that is none, a key that a reader without regard to case would take for the list.
 */
function subscribedUris(params: JsonObject): readonly unknown[] {
  const wanted = Object.entries(ownObject(params, 'notifications'));
  if (wanted.length === 0) return [undefined];
  return wanted.flatMap(([key, value]: [string, unknown]) => {
    if (key === 'resourceSubscriptions') return [value].flat();
    return key.toUpperCase() === 'RESOURCESUBSCRIPTIONS' ? [undefined] : [];
  });
}

/** A prompt by its name, a template by its URI. Any other `ref` is nobody's: a reader could take either for it. */
function completionTarget(params: JsonObject): string | undefined {
  const ref = ownObject(params, 'ref');
  const type = ownText(ref, 'type');
  if (type === 'ref/prompt') return ownText(ref, 'name');
  return type === 'ref/resource' ? ownText(ref, 'uri') : undefined;
}

function ownObject(value: JsonObject, key: string): object {
  const found = Object.hasOwn(value, key) ? value[key] : undefined;
  return typeof found === 'object' && found !== null ? found : {};
}

function ownText(value: object, key: string): string | undefined {
  const found: unknown = Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
  return typeof found === 'string' ? found : undefined;
}
