/**
 * The way to a backend that speaks in single messages: toward the client a Streamable HTTP server, with sessions in
 * the era that has them.
 */
import { ok } from '@valetkey/core/base/result';
import { jsonRpcCodes, jsonRpcError } from '@valetkey/core/mcp/errors';
import { isRequest } from '@valetkey/core/mcp/json-rpc';
import { type BackendProxy, faultName } from '../backend-proxy.ts';
import { type Conversation, openConversation } from './conversation.ts';
import { converse } from './converse.ts';
import { openListenStream } from './listen-stream.ts';
import type { Carrier } from './message-link.ts';
import { createModernWay } from './modern.ts';
import { createOpenConversations } from './open-conversations.ts';
import { createOwnSessions } from './own-sessions.ts';
import type { Answered, Kept, MessageBackendOptions, MessageParts } from './parts.ts';
import { reply } from './reply.ts';
import { createSharedSessions } from './shared.ts';
import { readSpoken, type Spoken } from './spoken.ts';

export type { MessageBackendOptions };

export function createMessageBackend(options: MessageBackendOptions): BackendProxy {
  const { backend, log, mode } = options;
  const kept = createOpenConversations<Kept>({ ...options, maxPerHolder: options.maxPerPerson });
  const onLeftOut = (what: string) =>
    log.debug({ backend: backend.name, what }, 'left out what a backend said');
  const parts: MessageParts = {
    ...options,
    kept,
    open: (carrier, sharing) =>
      openConversation(options.openLink, carrier, {
        sharing,
        onLeftOut,
        ...(options.metaFor === undefined ? {} : { metaFor: options.metaFor }),
      }),
  };
  const sessions = mode === 'shared' ? createSharedSessions(parts) : createOwnSessions(parts);
  const postModern = createModernWay(parts);

  async function inSession(
    carrier: Carrier,
    spoken: readonly Spoken[],
    work: (conversation: Conversation, sessionId: string) => Answered,
  ): Answered {
    const sessionId = sessionIdOf(carrier);
    if (sessionId === undefined) return withoutSession(carrier, spoken);
    const conversation = await sessions.enter(sessionId, carrier);
    return conversation.ok ? work(conversation.value, sessionId) : conversation;
  }

  const post = (carrier: Carrier, spoken: readonly Spoken[]): Answered => {
    if (sessionIdOf(carrier) === undefined && isInitialize(spoken)) return sessions.begin(carrier, spoken);
    const { isForUs = () => false, ...ways } = sessions;
    return inSession(carrier, spoken, (conversation, owner) =>
      converse(parts, {
        carrier,
        spoken: spoken.filter((each) => !isForUs(each)),
        conversation,
        owner,
        ...ways,
      }),
    );
  };

  const listen = (carrier: Carrier): Answered =>
    inSession(carrier, [], async (conversation, owner) => {
      const { keepAlive } = options;
      return ok(openListenStream({ ...carrier, owner, conversation, keepAlive, waits: sessions.waits }));
    });

  const end = (carrier: Carrier): Answered =>
    inSession(carrier, [], async (_conversation, sessionId) => {
      void sessions.end(sessionId);
      return reply(carrier.exchange, 200);
    });

  function pass(carrier: Carrier): Answered {
    const { exchange, request } = carrier;
    if (exchange.method === 'GET') return listen(carrier);
    if (exchange.method === 'DELETE') return end(carrier);
    const spoken = readSpoken(request.body ?? new Uint8Array());
    return request.era === 'modern' ? postModern(carrier, spoken) : post(carrier, spoken);
  }

  return {
    async forward(exchange, request) {
      // Of what this one request may cost several at the backend, the watch sees one, and its answer.
      const trace = request.watch?.sending() ?? [];
      const watch = { sending: () => trace, answered() {} };
      const forwarded = await pass({ exchange, request: { ...request, watch } });
      request.watch?.answered(
        forwarded.ok ? { status: forwarded.value.status } : { fault: faultName(forwarded.error) },
      );
      return forwarded;
    },
    close: () => kept.close(),
  };
}

function sessionIdOf({ exchange }: Carrier): string | undefined {
  return [exchange.req.headers['mcp-session-id'] ?? []].flat()[0];
}

/** Never in a batch (MCP 2025-03-26 Lifecycle). */
function isInitialize([only, ...others]: readonly Spoken[]): boolean {
  if (only === undefined || others.length > 0) return false;
  return isRequest(only.message) && only.message.method === 'initialize';
}

/** A server that keeps sessions answers so to a request without one (MCP 2025-11-25 Transports, Session Management). */
function withoutSession({ exchange }: Carrier, spoken: readonly Spoken[]) {
  const id = spoken.map(({ message }) => message).find(isRequest)?.id;
  const text = 'Mcp-Session-Id is missing: a session begins with initialize';
  return reply(exchange, 400, JSON.stringify(jsonRpcError(id, jsonRpcCodes.invalidRequest, text)));
}
