/**
 * The era without sessions. Each request stands for itself, so the clients of one person share a link, and so do all
 * people where the backend is shared. Whether a backend speaks this era it is asked by `server/discover`, which some
 * older ones do not survive.
 */
import { ok, type Result } from '@valetkey/core/base/result';
import { findProtocolVersion, protocolVersionKey } from '@valetkey/core/mcp/era';
import { jsonRpcCodes, jsonRpcError } from '@valetkey/core/mcp/errors';
import { isRequest, isResponse, type JsonRpcRequest } from '@valetkey/core/mcp/json-rpc';
import type { BackendFault } from '../backend-proxy.ts';
import { askOnce } from './ask-once.ts';
import type { Conversation } from './conversation.ts';
import { converse } from './converse.ts';
import { type Answered, holderOf, isError, type MessageParts } from './parts.ts';
import type { Carrier } from './message-link.ts';
import { createMirroredParams } from './mirrored-params.ts';
import { everybody } from './open-conversations.ts';
import { statusOf } from './post-answer.ts';
import { reply } from './reply.ts';
import type { Spoken } from './spoken.ts';

export type ModernWay = (carrier: Carrier, spoken: readonly Spoken[]) => Answered;

/** Before they are asked again, so that not every client costs a process that ends at its first question. */
const rememberedMs = 10 * 60_000;
/** A backend that knows no such method may also say nothing at all. */
const longestProbeMs = 10_000;
const olderVersions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

/**
 * Of the older era, and about the connection as such, which is not the client's alone: a server that speaks both eras
 * would take them for its own.
 */
const ofTheOlderEra: ReadonlySet<string> = new Set([
  'initialize',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
]);
const aboutTheConnection: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/roots/list_changed',
]);

export function createModernWay(parts: MessageParts): ModernWay {
  const { mode, mayBeModern, clock, backend, open, kept } = parts;
  const mirrored = createMirroredParams();
  const state = { olderUntilMs: mayBeModern ? 0 : Number.POSITIVE_INFINITY };

  const ownerOf = (carrier: Carrier) => (mode === 'shared' ? everybody : holderOf(carrier, parts));

  /**
   * A server may take the revision of its first request for that of all, so each has a link of its own; all that we do
   * not know share one, and no client can open links without end. No session id has a space.
   */
  const keyOf = (carrier: Carrier, spoken: Spoken) => {
    const version = versionOf(carrier, spoken);
    return `modern ${knownVersions.has(version) ? version : 'other'} ${ownerOf(carrier).name}`;
  };

  async function find(carrier: Carrier, spoken: Spoken): Promise<Result<Conversation, BackendFault>> {
    const opened = await kept.open(keyOf(carrier, spoken), ownerOf(carrier), async () => {
      const conversation = await open(carrier, mode === 'shared' ? 'everybody' : 'person');
      return conversation.ok ? ok({ conversation: conversation.value }) : conversation;
    });
    return opened.ok ? ok(opened.value.conversation) : opened;
  }

  async function discover(carrier: Carrier, conversation: Conversation, spoken: Spoken): Answered {
    const timeoutMs = Math.min(longestProbeMs, backend.timeouts.firstByteMs);
    const answered = await askOnce(conversation, spoken, carrier, timeoutMs);
    const isKnownAnswer = answered.ok && !isOlder(answered.value);
    if (answered.ok) endIfForeign(carrier, spoken, answered.value);
    if (!isKnownAnswer && !(await isSoundOtherwise(carrier))) {
      state.olderUntilMs = clock.nowMs() + rememberedMs;
      void kept.end(keyOf(carrier, question));
      return refuse(carrier, spoken);
    }
    if (!answered.ok) return answered;
    return reply(carrier.exchange, statusOf(answered.value, 'modern', spoken.message), answered.value);
  }

  /**
   * What a client has written into its question, or what another call does just now, may be what the backend does not
   * like. It is asked in our own words, and from the beginning.
   */
  async function isSoundOtherwise(carrier: Carrier): Promise<boolean> {
    const conversation = await find(carrier, question);
    if (!conversation.ok) return false;
    const timeoutMs = Math.min(longestProbeMs, backend.timeouts.firstByteMs);
    const answered = await askOnce(conversation.value, question, carrier, timeoutMs);
    return answered.ok && !isOlder(answered.value);
  }

  /** Begun with a revision that the backend does not speak, and perhaps held to it. Never a link that others use well. */
  function endIfForeign(carrier: Carrier, spoken: Spoken, text: string | undefined): void {
    const isKnown = knownVersions.has(versionOf(carrier, spoken));
    const isForeign = findErrorCode(text) === jsonRpcCodes.unsupportedProtocolVersion;
    if (!isKnown && isForeign) void kept.end(keyOf(carrier, spoken));
  }

  return async (carrier, spoken) => {
    const [first] = spoken;
    if (first === undefined || clock.nowMs() < state.olderUntilMs) return refuse(carrier, first);
    const conversation = await find(carrier, first);
    if (!conversation.ok) return conversation;
    const { message } = first;
    if (isRequest(message) && message.method === 'server/discover') {
      return discover(carrier, conversation.value, first);
    }
    const fault = mirrored.findFault(conversation.value, carrier, message);
    if (fault !== undefined) return reply(carrier.exchange, 400, JSON.stringify(fault));
    const isToolList = isRequest(message) && message.method === 'tools/list';
    const owner = carrier.request.principal.sessionId;
    return converse(parts, {
      carrier,
      spoken: spoken.filter((each) => isRequest(each.message) || !isAboutTheConnection(each)),
      conversation: conversation.value,
      owner,
      waits: false,
      answerOf: refuseOlder,
      onSettled(text) {
        if (isToolList && text !== undefined) mirrored.learn(conversation.value, text);
        endIfForeign(carrier, first, text);
      },
    });
  };
}

/** A notification has no envelope of its own; the header says its revision. */
function versionOf({ exchange }: Carrier, { message }: Spoken): string {
  return findProtocolVersion(message) ?? [exchange.req.headers['mcp-protocol-version'] ?? ''].flat().join();
}

const knownVersions: ReadonlySet<string> = new Set(['2026-07-28']);

/** A server of the older era knows no such method, or says that nobody has initialised it. */
function isOlder(text: string): boolean {
  const code = findErrorCode(text);
  return code !== undefined && code !== jsonRpcCodes.unsupportedProtocolVersion;
}

/** @param text an answer; undefined: there is none. */
function findErrorCode(text: string | undefined): unknown {
  if (text === undefined || !isError(text)) return undefined;
  return (JSON.parse(text) as { error: { code?: unknown } }).error.code ?? null;
}

const questionParams = {
  _meta: {
    [protocolVersionKey]: '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'valetkey', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  },
};
const questionMessage = {
  jsonrpc: '2.0',
  id: 'valetkey-discover',
  method: 'server/discover',
  params: questionParams,
} as const;
const question: Spoken = { message: questionMessage, text: JSON.stringify(questionMessage), isOurs: true };

function refuseOlder({ message }: Spoken): string | undefined {
  if (!isRequest(message) || !ofTheOlderEra.has(message.method)) return undefined;
  const text = `${message.method} is not of this revision`;
  return JSON.stringify(jsonRpcError(message.id, jsonRpcCodes.methodNotFound, text));
}

function isAboutTheConnection({ message }: Spoken): boolean {
  return !isResponse(message) && aboutTheConnection.has(message.method);
}

/** As a server answers that speaks other revisions; a client then begins with `initialize`. */
function refuse({ exchange }: Carrier, spoken: Spoken | undefined) {
  const request = spoken !== undefined && isRequest(spoken.message) ? spoken.message : undefined;
  if (request === undefined) return reply(exchange, 202);
  const error = jsonRpcError(
    request.id,
    jsonRpcCodes.unsupportedProtocolVersion,
    'This server speaks older revisions of the protocol',
    { supported: olderVersions, requested: requestedVersion(request) },
  );
  return reply(exchange, 400, JSON.stringify(error));
}

function requestedVersion(request: JsonRpcRequest): string {
  return findProtocolVersion(request) ?? '2026-07-28';
}
