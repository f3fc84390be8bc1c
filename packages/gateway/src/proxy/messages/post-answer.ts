/**
 * The answer to one POST. It stays undecided until something has come of it: the answer alone goes out as JSON, with
 * the status that belongs to it; anything before the answer, or a silence that needs comments, makes an event stream.
 */
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Era } from '@valetkey/core/mcp/era';
import { type JsonRpcErrorBody, type JsonRpcId, jsonRpcCodes } from '@valetkey/core/mcp/errors';
import type { JsonObject, JsonRpcMessage } from '@valetkey/core/mcp/json-rpc';
import type { BackendFault, Forwarded, StreamEnd } from '../backend-proxy.ts';
import type { KeepAlive } from '../keep-alive.ts';
import type { Answer } from './conversation.ts';
import { type EventWriter, openEventStream, rewriteText } from './event-writer.ts';
import type { Carrier, Wait } from './message-link.ts';
import { findMeta } from './spoken.ts';

/** What a client reads of a fault, once an answer has begun and its status is out. */
export type DescribeFault = (fault: AnswerableFault, id: JsonRpcId | undefined) => JsonRpcErrorBody;
export type AnswerableFault = Exclude<BackendFault, 'client_gone'>;

export interface PostAnswerOptions extends Carrier {
  /** Whose request ids these are. */
  readonly owner: string;
  readonly ids: readonly JsonRpcId[];
  /** The request, or the first of several. */
  readonly message: JsonRpcMessage;
  readonly isBatch: boolean;
  /** Beside those of every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** Until something has come of it. */
  readonly firstMessageTimeoutMs: number;
  readonly keepAlive: KeepAlive;
  readonly waits: boolean;
  readonly describeFault: DescribeFault;
  /** Told of each answer before it goes out; undefined: it is a fault. */
  readonly onSettled?: (text: string | undefined) => void;
  /** Nobody waits for it any more: the client has gone, or it took too long. Not called once it is complete. */
  readonly onAbandoned: (answer: Answer, why: 'client_gone' | 'timeout') => void;
}

export interface PostAnswer extends Answer {
  /** Settles, and never rejects, when the status is out, or there is none of ours. */
  readonly forwarded: Promise<Result<Forwarded, BackendFault>>;
}

export function createPostAnswer(options: PostAnswerOptions): PostAnswer {
  const { exchange, request, describeFault, keepAlive } = options;
  const { res } = exchange;
  const open = new Set(options.ids);
  const collected: string[] = [];
  const state: { writer?: EventWriter; isDone: boolean } = { isDone: false };
  const forwarded = Promise.withResolvers<Result<Forwarded, BackendFault>>();
  const ended = Promise.withResolvers<StreamEnd>();
  const silence = keepAlive.watch(() => void openStream());
  const timer = setTimeout(onTimeout, options.firstMessageTimeoutMs);

  const answer: PostAnswer = {
    era: request.era,
    owner: options.owner,
    forwarded: forwarded.promise,
    add(text) {
      if (state.isDone) return undefined;
      hear();
      return openStream().write(rewriteText(text, request.rewriteMessage));
    },
    settle(id, text) {
      if (!open.delete(id) || state.isDone) return undefined;
      options.onSettled?.(text);
      hear();
      return put(rewriteText(text, request.rewriteMessage));
    },
    fail(id, fault) {
      const isAll = open.size === 1 && collected.length === 0 && state.writer === undefined;
      if (!open.delete(id) || state.isDone || fault === 'client_gone') return;
      options.onSettled?.(undefined);
      if (isAll) finish(() => forwarded.resolve(err(fault)));
      else void put(JSON.stringify(describeFault(fault, id)));
    },
    drop(id) {
      if (!open.delete(id) || state.isDone || open.size > 0) return;
      openStream();
      end();
    },
  };
  if (res.closed) onClose();
  else res.once('close', onClose);
  return answer;

  function put(text: string): Wait {
    const wait = state.writer?.write(text);
    if (state.writer === undefined) collected.push(text);
    if (open.size === 0) end();
    return wait;
  }

  function openStream(): EventWriter {
    if (state.writer !== undefined) return state.writer;
    silence.stop();
    state.writer = openEventStream({ res, headers: options.headers, keepAlive, waits: options.waits });
    for (const text of collected.splice(0)) void state.writer.write(text);
    forwarded.resolve(ok({ status: 200, ended: ended.promise }));
    return state.writer;
  }

  function end(): void {
    finish(() => {
      if (state.writer !== undefined) return state.writer.end();
      const [only = '{}'] = collected;
      const body = Buffer.from(options.isBatch ? `[${collected.join(',')}]` : only);
      const status = options.isBatch ? 200 : statusOf(only, request.era, options.message);
      res.writeHead(status, {
        'content-type': 'application/json',
        'content-length': body.length,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...options.headers,
      });
      res.end(body);
      forwarded.resolve(ok({ status, ended: ended.promise }));
    });
  }

  function finish(last: () => void): void {
    state.isDone = true;
    clearTimeout(timer);
    silence.stop();
    last();
  }

  function hear(): void {
    clearTimeout(timer);
    silence.touch();
  }

  function onTimeout(): void {
    options.onAbandoned(answer, 'timeout');
    for (const id of open) answer.fail(id, 'timeout');
  }

  function onClose(): void {
    ended.resolve(res.writableFinished ? 'complete' : 'client_gone');
    if (state.isDone) return;
    options.onAbandoned(answer, 'client_gone');
    finish(() => forwarded.resolve(err('client_gone')));
  }
}

/** In the era without sessions some errors are told by the status too (MCP 2026-07-28 Transports). */
const modernStatuses: ReadonlyMap<unknown, number> = new Map([
  [jsonRpcCodes.parseError, 400],
  [jsonRpcCodes.invalidRequest, 400],
  [jsonRpcCodes.methodNotFound, 404],
  [jsonRpcCodes.headerMismatch, 400],
  [jsonRpcCodes.missingClientCapability, 400],
  [jsonRpcCodes.unsupportedProtocolVersion, 400],
]);

/** @param asked the request that this answers. */
export function statusOf(text: string, era: Era, asked: JsonRpcMessage): number {
  if (era === 'legacy') return 200;
  const { error } = JSON.parse(text) as { error?: JsonObject };
  // Parameters that a tool does not like are an answer; an envelope that no server could read is a refusal.
  if (error?.['code'] === jsonRpcCodes.invalidParams) return hasSoundEnvelope(asked) ? 200 : 400;
  return modernStatuses.get(error?.['code']) ?? 200;
}

/** What each request of this era says of itself (MCP 2026-07-28 Basic, `_meta`). */
function hasSoundEnvelope(asked: JsonRpcMessage): boolean {
  const clientInfo = findMeta({ ...asked }, 'io.modelcontextprotocol/clientInfo');
  const capabilities = findMeta({ ...asked }, 'io.modelcontextprotocol/clientCapabilities');
  const { name, version } = isObject(clientInfo) ? clientInfo : {};
  return typeof name === 'string' && typeof version === 'string' && isObject(capabilities);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
