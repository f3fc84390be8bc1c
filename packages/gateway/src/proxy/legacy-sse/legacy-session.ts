/**
 * One client of revision 2024-11-05: its stream, and its session with a backend that is spoken to as Streamable HTTP.
 * What comes of a message at the backend is put on the stream, and so is what the backend says unasked.
 */
import type { IncomingMessage } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { onOneLine } from '@valetkey/core/mcp/faithful-json';
import type { JsonRpcId } from '@valetkey/core/mcp/errors';
import { isRequest, isResponse, type JsonRpcMessage } from '@valetkey/core/mcp/json-rpc';
import type { BackendFault, StreamEnd } from '../backend-proxy.ts';
import { readEvents } from '../event-reader.ts';
import type { EventWriter } from '../messages/event-writer.ts';
import type { Carrier } from '../messages/message-link.ts';
import type { DescribeFault } from '../messages/post-answer.ts';
import { readSpoken } from '../messages/spoken.ts';
import type { InnerAnswer, InnerCalls } from './inner-call.ts';

export interface LegacySession {
  /** Sends a message of the client on. Settles, and never rejects, when all that comes of it is on the stream. */
  take(carrier: Carrier): Promise<StreamEnd>;
  /** The stream has ended: everything under way is left, and the backend is told. */
  close(): void;
}

export interface LegacySessionOptions {
  readonly calls: InnerCalls;
  readonly writer: EventWriter;
  /** The request that opened the stream. */
  readonly opening: Carrier;
  readonly describeFault: DescribeFault;
}

/** As long as a message may be that comes from a backend in one piece. */
const maxMessageLength = 10 * 1024 * 1024;
/** An address that was lost is looked for again, less and less often. */
const retryMs = [1000, 2000, 5000, 10_000, 30_000] as const;

export function createLegacySession(options: LegacySessionOptions): LegacySession {
  const { calls, writer, opening, describeFault } = options;
  const ending = new AbortController();
  const { signal } = ending;
  const state: { backendSession?: string; isListening: boolean } = { isListening: false };

  function call(
    method: 'GET' | 'POST' | 'DELETE',
    carrier: Carrier,
    lastEventId?: string,
  ): Promise<InnerAnswer> {
    const body = method === 'POST' ? carrier.request.body : undefined;
    const accept = method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream';
    const headers = { accept, 'mcp-session-id': state.backendSession, 'last-event-id': lastEventId };
    // A session that ends says so after its own calls have been left.
    const until = method === 'DELETE' ? AbortSignal.timeout(goodbyeMs) : signal;
    const load = method === 'DELETE' ? undefined : carrier.request.load;
    // What follows was allowed when its beginning went out: refused by now, a call would count as never made.
    const mayStill = lastEventId === undefined ? carrier.request.mayStill : undefined;
    return calls.call({
      ...carrier,
      request: { ...carrier.request, body, load, mayStill },
      method,
      headers,
      signal: until,
    });
  }

  /** @param open the requests that wait for an answer. @param on takes the id of each event, where there are such. */
  async function relay(
    answer: IncomingMessage,
    open: Set<JsonRpcId>,
    on: { lastEventId?: string },
  ): Promise<void> {
    const put = async (text: string) => {
      const message = parse(text);
      for (const each of [message ?? []].flat()) {
        // An answer that nobody waits for, such as the body of a refusal without an id, is no message for the client.
        if (isResponse(each) && !open.delete(each.id as JsonRpcId)) continue;
        await writer.write(Array.isArray(message) ? JSON.stringify(each) : onOneLine(text));
      }
    };
    if (isEventStream(answer)) {
      for await (const { type, data, id } of readEvents(answer, maxMessageLength)) {
        if (id !== '') on.lastEventId = id;
        if (type === 'message' && data !== '') await put(data);
      }
      return;
    }
    const text = await readText(answer);
    if (isJson(answer) && text !== '') await put(text);
  }

  async function take(carrier: Carrier): Promise<StreamEnd> {
    const messages = readSpoken(carrier.request.body ?? new Uint8Array()).map(({ message }) => message);
    const open = new Set(messages.filter(isRequest).map(({ id }) => id));
    const fault = await ask(carrier, open);
    if (signal.aborted) return 'client_gone';
    if (fault !== undefined) {
      // The client is there, so it was the connection inside that broke.
      const told = fault === 'client_gone' ? 'unreachable' : fault;
      for (const id of open) await writer.write(JSON.stringify(describeFault(told, id)));
      // It has to begin anew, which a client of this revision does when its stream ends.
      if (fault === 'unknown_session') writer.end();
      return 'backend_lost';
    }
    if (messages.some((each) => 'method' in each && each.method === 'notifications/initialized'))
      void listen();
    return 'complete';
  }

  /** @returns why some of the requests have no answer. */
  async function ask(carrier: Carrier, open: Set<JsonRpcId>): Promise<BackendFault | undefined> {
    const on: { lastEventId?: string } = {};
    for (const waitMs of [0, ...retryMs]) {
      // A backend may end the stream of a request and go on when it is asked for what followed (MCP 2025-11-25).
      if (waitMs > 0) await pause(waitMs);
      const answered = await call(on.lastEventId === undefined ? 'POST' : 'GET', carrier, on.lastEventId);
      if (answered.kind === 'fault') return answered.fault;
      const { answer } = answered;
      const status = answer.statusCode ?? 0;
      const session = answer.headers['mcp-session-id'];
      if (typeof session === 'string') state.backendSession ??= session;
      await relay(answer, open, on).catch(() => {});
      if (open.size === 0)
        return status === 404 && state.backendSession !== undefined ? 'unknown_session' : undefined;
      if (status >= 400) return status === 404 ? 'unknown_session' : 'unusable_answer';
      if (on.lastEventId === undefined) return 'unreachable';
    }
    return 'unreachable';
  }

  /** What the backend says unasked: for as long as the client is there. */
  async function listen(): Promise<void> {
    if (state.isListening) return;
    state.isListening = true;
    let failures = 0;
    const on: { lastEventId?: string } = {};
    while (!signal.aborted) {
      const answered = await call('GET', opening, on.lastEventId);
      // It has no such stream (405), or no such session any more.
      if (answered.kind === 'answer' && !isEventStream(answered.answer)) return void answered.answer.resume();
      if (answered.kind === 'fault' && answered.fault === 'unknown_session') return undefined;
      if (answered.kind === 'answer') {
        failures = 0;
        await relay(answered.answer, new Set(), on).catch(() => {});
      }
      await pause(retryMs[Math.min(failures, retryMs.length - 1)] ?? 0);
      failures += 1;
    }
  }

  const pause = (ms: number) => setTimeout(ms, undefined, { ref: false, signal }).catch(() => {});

  return {
    take,
    close() {
      if (signal.aborted) return;
      ending.abort();
      if (state.backendSession !== undefined) void call('DELETE', opening).then(drain);
    },
  };
}

const goodbyeMs = 10_000;

function drain(answered: InnerAnswer): void {
  if (answered.kind === 'answer') answered.answer.resume();
}

function parse(text: string): JsonRpcMessage | JsonRpcMessage[] | undefined {
  try {
    return JSON.parse(text) as JsonRpcMessage | JsonRpcMessage[];
  } catch {
    return undefined;
  }
}

function isEventStream({ headers }: IncomingMessage): boolean {
  return /^text\/event-stream *(;|$)/i.test(headers['content-type'] ?? '');
}

function isJson({ headers }: IncomingMessage): boolean {
  return /^application\/json *(;|$)/i.test(headers['content-type'] ?? '');
}

/** @throws when it is longer than a message may be. */
async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxMessageLength) throw new RangeError('message too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
