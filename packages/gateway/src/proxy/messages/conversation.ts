/**
 * Many requests over one link: which answer belongs to which of them, and where everything goes that a backend says
 * unasked. Over a link nothing but ids tells that; over HTTP each message needs a stream to go on.
 */
import { ok, type Result } from '@valetkey/core/base/result';
import type { Era } from '@valetkey/core/mcp/era';
import { type JsonRpcId, jsonRpcCodes, jsonRpcError } from '@valetkey/core/mcp/errors';
import { isRequest, isResponse, type JsonObject } from '@valetkey/core/mcp/json-rpc';
import { withOwnMeta } from '@valetkey/core/mcp/own-meta';
import type { Principal } from '@valetkey/core/policy/principal';
import type { BackendFault } from '../backend-proxy.ts';
import { createBacklog } from './backlog.ts';
import type { Carrier, MessageLink, OpenLink, Wait } from './message-link.ts';
import { findRelated, type Pending, restoreIds } from './related.ts';
import {
  type Change,
  changeText,
  findMeta,
  findParam,
  type Spoken,
  withMetaMember,
  withParam,
} from './spoken.ts';

/**
 * Who talks over the link. `session`: everything that comes is theirs, and passes as it is. `person`: the clients of
 * one person, in the era without sessions; ids are ours, since theirs may be the same. `everybody`: likewise, and
 * nothing is handed on that is not certainly somebody's.
 */
export type Sharing = 'session' | 'person' | 'everybody';

/** Where the answers to the requests of one POST go. */
export interface Answer {
  readonly era: Era;
  /** Whose request ids these are. */
  readonly owner: string;
  /** A message that comes before the answer, and makes a stream of it. */
  add(text: string): Wait;
  settle(id: JsonRpcId, text: string): Wait;
  fail(id: JsonRpcId, fault: BackendFault): void;
  /** There will be no answer: the client has cancelled. */
  drop(id: JsonRpcId): void;
}

/** A stand-alone stream, for what belongs to no request. */
export interface Outlet {
  readonly owner: string;
  add(text: string): Wait;
  /** @param isLost the backend has gone, rather than that another stream takes this one's place. */
  end(isLost: boolean): void;
}

export interface Conversation {
  /** Sends a request; what comes of it goes to the answer. */
  ask(spoken: Spoken, answer: Answer, carrier: Carrier): Promise<void>;
  /** Sends a notification, or an answer of the client. @returns why it has not left. */
  tell(spoken: Spoken, owner: string, carrier: Carrier): Promise<BackendFault | undefined>;
  /** Nobody waits for these answers any more. @param cancels whether the backend is told. */
  abandon(answer: Answer, cancels: boolean): void;
  /** A second stream of the same owner takes the first one's place. @returns call it when the stream has ended. */
  listen(outlet: Outlet): () => void;
  /** Whether somebody waits for something. */
  isBusy(): boolean;
  /** Settles, and never rejects, when nothing will come any more. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export interface ConversationOptions {
  readonly sharing: Sharing;
  /** What the backend is told of the caller in each message; undefined: messages are passed on as they are. */
  readonly metaFor?: (principal: Principal) => JsonObject;
  /** Something did not reach anybody; `what` says what, without its content. */
  readonly onLeftOut: (what: string) => void;
}

/** What is said to everybody at once, and holds nothing of anybody. */
const forAll = /^notifications\/(tools|prompts|resources)\/list_changed$/;

export async function openConversation(
  openLink: OpenLink,
  carrier: Carrier,
  options: ConversationOptions,
): Promise<Result<Conversation, BackendFault>> {
  const { sharing, metaFor, onLeftOut } = options;
  const isOwn = sharing === 'session';
  const pending = new Map<JsonRpcId, Pending>();
  const outlets = new Map<string, Outlet>();
  const backlog = createBacklog();
  const state = { nextId: 1, carrier, hasEnded: false };
  const opened = Promise.withResolvers<MessageLink>();
  const link = await openLink(carrier, { onMessage: receive });
  if (!link.ok) return link;
  opened.resolve(link.value);
  void link.value.ended.then(end);

  function end(): void {
    state.hasEnded = true;
    const waiting = [...pending.values()];
    pending.clear();
    for (const { answer, clientId } of waiting) answer.fail(clientId, 'unreachable');
    for (const outlet of outlets.values()) outlet.end(true);
    outlets.clear();
  }

  function receive(text: string): Wait {
    const value = parse(text);
    if (!Array.isArray(value)) {
      return isObject(value) ? route(value, text) : leaveOut('a line that is no message');
    }
    // A batch of 2025-03-26.
    const waits = value.filter(isObject).map((each) => route(each, JSON.stringify(each)));
    return waitForAll(waits);
  }

  function route(message: JsonObject, text: string): Wait {
    if (typeof message['method'] !== 'string') return routeAnswer(message['id'] as JsonRpcId, text);
    const related = findRelated(message, pending, sharing);
    if (related !== undefined) {
      return related.answer.add(changeText(text, isOwn ? [] : restoreIds(message, related)));
    }
    if (isOwn) return routeUnasked(text);
    if (message['id'] !== undefined) return refuse(message);
    if (!forAll.test(message['method'])) return leaveOut('a notification that is not certainly anybody’s');
    for (const outlet of outlets.values()) void outlet.add(text);
    return undefined;
  }

  function routeAnswer(id: JsonRpcId, text: string): Wait {
    const entry = pending.get(id);
    if (entry === undefined) return leaveOut('an answer that nobody waits for');
    pending.delete(id);
    const { answer, clientId } = entry;
    return answer.settle(
      clientId,
      isOwn ? text : changeText(text, [(message) => ({ ...message, id: clientId })]),
    );
  }

  /** On their stream; where they have none, with the next answer. */
  function routeUnasked(text: string): Wait {
    const [outlet] = outlets.values();
    const way = outlet ?? [...pending.values()].at(-1)?.answer;
    if (way !== undefined) return way.add(text);
    return backlog.add(text) ? undefined : leaveOut('a message for which there is no stream');
  }

  /** The backend asks, and nobody can know whom. */
  function refuse({ id, method }: JsonObject): undefined {
    const text = 'the gateway cannot know whom this server asks, since several share it';
    const answer = jsonRpcError(id as JsonRpcId, jsonRpcCodes.methodNotFound, text);
    void say(method === 'ping' ? { jsonrpc: '2.0', id, result: {} } : answer);
  }

  function leaveOut(what: string): undefined {
    onLeftOut(what);
  }

  /** A message of our own. */
  async function say(message: object): Promise<void> {
    await leave(await opened.promise, JSON.stringify(message), state.carrier);
  }

  /** Nobody waits for what becomes of some messages: a fault on their way must be told and not thrown. */
  function leave(to: MessageLink, text: string, by: Carrier): Promise<BackendFault | undefined> {
    return to.send(text, by).catch((): BackendFault => {
      onLeftOut('a message, by a fault on its way');
      return 'unreachable';
    });
  }

  function identify({ message, isOurs }: Spoken, { request }: Carrier): Change[] {
    if (metaFor === undefined || isOurs === true || isResponse(message)) return [];
    const meta = metaFor(request.principal);
    // Read, and not looked for in the text: a key can be written with escapes.
    if (Object.keys(meta).length === 0 && findParam({ ...message }, '_meta') === undefined) return [];
    return [(each) => ({ ...withOwnMeta(each as unknown as Spoken['message'], meta) })];
  }

  function cancel(requestId: unknown, owner: string): JsonRpcId | undefined {
    const found = [...pending].find(
      ([, { clientId, answer }]) => clientId === requestId && answer.owner === owner,
    );
    if (found === undefined) return undefined;
    const [linkId, { answer, clientId }] = found;
    pending.delete(linkId);
    answer.drop(clientId);
    return linkId;
  }

  return ok({
    async ask(spoken, answer, by) {
      const { message, text } = spoken;
      if (!isRequest(message)) throw new TypeError('only a request is asked');
      state.carrier = by;
      const { id } = message;
      if (state.hasEnded) return answer.fail(id, 'unreachable');
      if (isOwn && pending.has(id)) {
        const open = 'a request with this id is still open';
        return void answer.settle(id, JSON.stringify(jsonRpcError(id, jsonRpcCodes.invalidRequest, open)));
      }
      const linkId = isOwn ? id : state.nextId++;
      const token = findMeta({ ...message }, 'progressToken');
      pending.set(linkId, { clientId: id, answer, token, method: message.method });
      if (outlets.size === 0) for (const late of backlog.take()) void answer.add(late);
      const changes = identify(spoken, by);
      if (!isOwn) changes.push((each) => ({ ...each, id: linkId }));
      if (!isOwn && token !== undefined) {
        changes.push((each) => withMetaMember(each, 'progressToken', linkId));
      }
      const fault = await leave(link.value, changeText(text, changes), by);
      // It may have been answered while it was still leaving.
      if (fault !== undefined && pending.delete(linkId)) answer.fail(id, fault);
    },

    async tell(spoken, owner, by) {
      const { message, text } = spoken;
      state.carrier = by;
      if (state.hasEnded) return 'unreachable';
      const changes = identify(spoken, by);
      if (!isResponse(message) && message.method === 'notifications/cancelled') {
        const linkId = cancel(findParam({ ...message }, 'requestId'), owner);
        if (!isOwn && linkId === undefined) return undefined;
        if (!isOwn) changes.push((each) => withParam(each, 'requestId', linkId));
      }
      return leave(link.value, changeText(text, changes), by);
    },

    abandon(answer, cancels) {
      for (const [requestId, entry] of pending) {
        if (entry.answer !== answer) continue;
        pending.delete(requestId);
        const message = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } };
        if (cancels && !state.hasEnded) void say(message);
      }
    },

    listen(outlet) {
      outlets.get(outlet.owner)?.end(false);
      outlets.set(outlet.owner, outlet);
      for (const text of backlog.take()) void outlet.add(text);
      return () => {
        if (outlets.get(outlet.owner) === outlet) outlets.delete(outlet.owner);
      };
    },

    isBusy: () => pending.size > 0 || outlets.size > 0,
    ended: link.value.ended,
    close: () => link.value.close(),
  });
}

async function waitForAll(waits: readonly Wait[]): Promise<void> {
  for (const wait of waits) await wait;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
