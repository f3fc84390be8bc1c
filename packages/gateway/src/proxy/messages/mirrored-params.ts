/**
 * Behind a backend that speaks in single messages nobody else could compare `Mcp-Param-*` with the body: toward the
 * client the gateway is the server, and the headers end here.
 */
import { type JsonRpcErrorBody, jsonRpcError } from '@valetkey/core/mcp/errors';
import { isRequest, type JsonRpcMessage } from '@valetkey/core/mcp/json-rpc';
import { readToolSchemas } from '@valetkey/core/mcp/list-result';
import {
  checkMirroredParams,
  type MirroredParam,
  readMirroredParams,
} from '@valetkey/core/mcp/mirrored-params';
import { targetOf } from '@valetkey/core/mcp/operation';
import type { Conversation } from './conversation.ts';
import type { Carrier } from './message-link.ts';

export interface MirroredParams {
  /** @param text the answer to a `tools/list`. */
  learn(conversation: Conversation, text: string): void;
  /** What is to be answered with 400 in the backend's place; undefined: nothing, also where the tool is not known. */
  findFault(
    conversation: Conversation,
    carrier: Carrier,
    message: JsonRpcMessage,
  ): JsonRpcErrorBody | undefined;
}

type Tools = Map<string, readonly MirroredParam[]>;

/** With more of them, the one that was heard of first is not compared any more. */
const maxTools = 1000;
const maxNameLength = 512;

/** What one process says of its tools holds for that process: another one may be of another person or revision. */
export function createMirroredParams(): MirroredParams {
  const known = new WeakMap<Conversation, Tools>();
  return {
    learn(conversation, text) {
      const tools: Tools = known.get(conversation) ?? new Map();
      known.set(conversation, tools);
      for (const { name, inputSchema } of readToolSchemas(JSON.parse(text)) ?? [])
        remember(tools, name, readMirroredParams(inputSchema));
    },

    findFault(conversation, { exchange }, message) {
      if (!isRequest(message) || message.method !== 'tools/call') return undefined;
      const name = targetOf(message.method, message.params) ?? '';
      const mirrored = known.get(conversation)?.get(name) ?? [];
      const { headers } = exchange.req;
      const checked = checkMirroredParams(mirrored, message, (header) => [headers[header] ?? []].flat()[0]);
      if (checked.ok) return undefined;
      const { id, code, message: text, data } = checked.error;
      return jsonRpcError(id, code, text, data);
    },
  };
}

function remember(tools: Tools, name: string, mirrored: readonly MirroredParam[]): void {
  tools.delete(name);
  if (mirrored.length === 0 || name.length > maxNameLength) return;
  tools.set(name, mirrored);
  const [oldest] = tools.size > maxTools ? tools.keys() : [];
  if (oldest !== undefined) tools.delete(oldest);
}
