/**
 * What one JSON-RPC message asks of a backend.
 *
 * `name` is set where MCP names a target: the tool of `tools/call`, the prompt of `prompts/get`, the URI of
 * `resources/read`, `resources/subscribe` and `resources/unsubscribe`, the completion's prompt or template.
 */
export interface Operation {
  readonly method: string;
  readonly name?: string;
  /** JSON-RPC id; undefined for a notification or a response. */
  readonly id?: string | number;
  readonly kind: 'request' | 'notification' | 'response';
}
