/**
 * One link for everybody, in the era with sessions. The gateway has initialised it and answers for it; a session is
 * then no more than an id of a person, which any replica knows.
 *
 * What needs one partner for one client cannot be had here: questions of the backend to the client, subscriptions,
 * log messages. They are refused rather than handed to somebody else.
 */
import { type RandomBytes, randomId } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { jsonRpcCodes, jsonRpcError } from '@valetkey/core/mcp/errors';
import { isRequest, isResponse, type JsonObject } from '@valetkey/core/mcp/json-rpc';
import { personId } from '@valetkey/core/policy/principal';
import { StoreUnavailable } from '../../store/driver.ts';
import type { BackendFault } from '../backend-proxy.ts';
import { createSessionBinding } from '../session-binding.ts';
import { askOnce } from './ask-once.ts';
import type { Conversation } from './conversation.ts';
import type { Carrier } from './message-link.ts';
import { everybody } from './open-conversations.ts';
import { isError, type Kept, type McpSessions, type MessageParts } from './parts.ts';
import { reply } from './reply.ts';
import { findParam, type Spoken } from './spoken.ts';

/** A process is initialised with one revision, so there is one for each that clients ask for. */
const revisions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;

const refused: ReadonlySet<string> = new Set([
  // It would say for everybody what a client can be asked, and which revision is spoken.
  'initialize',
  'resources/subscribe',
  'resources/unsubscribe',
  'logging/setLevel',
]);

/** Between the gateway and the backend, which it has initialised itself. */
const swallowed: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/roots/list_changed',
]);

export function createSharedSessions(parts: MessageParts): McpSessions {
  const { store, clock, backend, random, open, kept } = parts;
  const sessions = createSessionBinding({ store, clock, backend: backend.name });

  const find = (revision: string, carrier: Carrier) =>
    kept.open(revision, everybody, async () => {
      const conversation = await open(carrier, 'everybody');
      return conversation.ok ? greet(conversation.value, revision, carrier) : conversation;
    });

  async function greet(
    conversation: Conversation,
    revision: string,
    carrier: Carrier,
  ): Promise<Result<Kept, BackendFault>> {
    const answered = await askOnce(
      conversation,
      initializeOf(revision),
      carrier,
      backend.timeouts.firstByteMs,
    );
    if (!answered.ok || isError(answered.value)) {
      void conversation.close();
      return err(answered.ok ? 'unusable_answer' : answered.error);
    }
    const fault = await conversation.tell(initialized, '', carrier);
    if (fault !== undefined) return err(fault);
    const { result } = JSON.parse(answered.value) as { result: JsonObject };
    return ok({ conversation, greeting: withoutRefused(result) });
  }

  return {
    waits: false,
    answerOf: refuse,
    // The gateway answers all questions of the backend itself: nobody's answer belongs there.
    isForUs: ({ message }) => isResponse(message) || swallowed.has(message.method),

    async begin(carrier, [first]) {
      const message: JsonObject = { ...first?.message };
      const wanted = findParam(message, 'protocolVersion');
      const revision = revisions.find((each) => each === wanted) ?? revisions[0];
      const shared = await find(revision, carrier);
      if (!shared.ok) return shared;
      const id = sessionIdFor(revision, random);
      const fault = await inStore(() => sessions.bind(id, personId(carrier.request.principal)));
      if (fault !== undefined) return err(fault);
      const answer = { jsonrpc: '2.0', id: message['id'], result: shared.value.greeting };
      return reply(carrier.exchange, 200, JSON.stringify(answer), { 'mcp-session-id': id });
    },

    async enter(sessionId, carrier) {
      const fault = await inStore(() => sessions.isOwner(sessionId, personId(carrier.request.principal)));
      if (fault !== undefined) return err(fault);
      const revision = revisions.find((each) => sessionId.startsWith(`${each}.`));
      const shared = revision === undefined ? err('unknown_session' as const) : await find(revision, carrier);
      return shared.ok ? ok(shared.value.conversation) : shared;
    },

    end: (sessionId) => sessions.forget(sessionId),
  };
}

/** It names the revision, so that a replica which has never seen it knows which process it is for. */
function sessionIdFor(revision: string, random: RandomBytes): string {
  return `${revision}.${randomId(random, 16)}`;
}

async function inStore(isTheirs: () => Promise<boolean>): Promise<BackendFault | undefined> {
  try {
    return (await isTheirs()) ? undefined : 'unknown_session';
  } catch (fault) {
    if (fault instanceof StoreUnavailable) return 'store_unavailable';
    throw fault;
  }
}

function initializeOf(protocolVersion: string): Spoken {
  const clientInfo = { name: 'valetkey', version: '1' };
  const params = { protocolVersion, capabilities: {}, clientInfo };
  const message = { jsonrpc: '2.0', id: 'valetkey-initialize', method: 'initialize', params } as const;
  return { message, text: JSON.stringify(message), isOurs: true };
}

const initialized: Spoken = {
  message: { jsonrpc: '2.0', method: 'notifications/initialized' },
  text: '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  isOurs: true,
};

/** No client shall ask for what it would not get. */
function withoutRefused(result: JsonObject): JsonObject {
  const { logging: _logging, resources, ...others } = (result['capabilities'] ?? {}) as JsonObject;
  const { subscribe: _subscribe, ...kept } = (resources ?? {}) as JsonObject;
  const capabilities = resources === undefined ? others : { ...others, resources: kept };
  return { ...result, capabilities };
}

function refuse({ message }: Spoken): string | undefined {
  if (!isRequest(message) || !refused.has(message.method)) return undefined;
  const text = `${message.method} cannot be had of a server that several people share`;
  return JSON.stringify(jsonRpcError(message.id, jsonRpcCodes.methodNotFound, text));
}
