/**
 * The HTTP+SSE transport of 2024-11-05: `GET /sse` is a person's own stream, `POST /message?sessionId=…` says something in
 * it. One stream is one connection of one server instance, and belongs to whoever opened it: nobody else can speak in it
 * or learn that it is there, and when it closes nothing else does (D14, D15).
 */
import { randomId } from '@valetkey/core/base/random';
import type { JsonRpcMessage } from '@valetkey/core/mcp/json-rpc';
import { parseJsonRpcBody } from '@valetkey/core/mcp/json-rpc';
import type { Refusal } from '@valetkey/gateway/enforce/refusal';
import { readBody } from '@valetkey/gateway/http/body';
import type { Exchange, Route } from '@valetkey/gateway/http/exchange';
import { type Admitted, createAdmission } from './admission.ts';
import type { AuthInfo } from './call.ts';
import type { Front } from './front.ts';
import type { GuardableServer } from './guarded-server.ts';
import { watchAnswer, watchRights } from './mcp-door.ts';
import { speakerOf } from './session-owners.ts';
import { createSseTransport, type SseTransport } from './sse-transport.ts';

/** Makes the server of one connection: the factory that `createMcpHandler` takes. */
export type ServerFactory = (context: {
  era: 'legacy';
  authInfo?: AuthInfo;
}) => ClosableServer | Promise<ClosableServer>;

interface ClosableServer extends GuardableServer {
  close(): Promise<void>;
}

interface OpenSession {
  readonly speaker: string;
  readonly transport: SseTransport;
}

/** A client that opens more has lost the earlier ones. */
const maxPerSpeaker = 32;

export function createLegacyRoutes(front: Front, factory: ServerFactory): Route[] {
  const { legacySse, limits } = front.config;
  if (legacySse === undefined) return [];
  const { resource, messagePath } = legacySse;
  const admission = createAdmission(front, resource);
  const sessions = new Map<string, OpenSession>();
  const row = { cors: 'mcp', maxBodyBytes: limits.mcpBodyBytes } as const;

  async function openStream(exchange: Exchange, { call, authInfo }: Admitted): Promise<void> {
    const server = await factory({ era: 'legacy', authInfo });
    const id = randomId(front.world.random);
    const transport = createSseTransport(exchange.res, { id, endpoint: `${messagePath}?sessionId=${id}` });
    const speaker = speakerOf(call.principal);
    const own = [...sessions].filter(([, session]) => session.speaker === speaker);
    if (own.length >= maxPerSpeaker) await own[0]?.[1].transport.close();
    sessions.set(id, { speaker, transport });
    exchange.res.once('close', () => {
      sessions.delete(id);
      void server.close().catch(() => {});
    });
    await server.connect(transport as never);
    admission.record(call, { event: 'mcp.call', outcome: 'success', method: 'http GET' });
  }

  /** @returns why not. */
  async function takeMessages(
    exchange: Exchange,
    { call, authInfo }: Admitted,
  ): Promise<Refusal | undefined> {
    const session = sessions.get(exchange.url.searchParams.get('sessionId') ?? '');
    // Somebody else's is answered like none.
    if (session?.speaker !== speakerOf(call.principal)) return { kind: 'unknown_session', id: undefined };
    watchRights(front, admission, call);
    const body = await readBody(exchange, limits.mcpBodyBytes, limits.requestTimeoutMs);
    if (call.refusal !== undefined) return call.refusal;
    if (!body.ok) return { kind: body.error === 'timeout' ? 'body_too_slow' : 'body_too_large' };
    const parsed = parseJsonRpcBody(body.value);
    if (!parsed.ok) return { kind: 'bad_message', fault: parsed.error };
    for (const message of parsed.value.messages) deliver(session.transport, message, authInfo);
    return call.refusal;
  }

  return [
    {
      ...row,
      methods: ['*'],
      path: resource.path,
      async handler(exchange) {
        const admitted = await admission.admit(exchange, [front.policy]);
        if (admitted === undefined) return;
        if (exchange.method !== 'GET') {
          admission.refuse(exchange, { kind: 'wrong_method' });
          return;
        }
        watchAnswer(front, admission, admitted.call);
        await openStream(exchange, admitted);
      },
    },
    {
      ...row,
      methods: ['*'],
      path: messagePath,
      async handler(exchange) {
        const admitted = await admission.admit(exchange, [front.policy]);
        if (admitted === undefined) return;
        const refusal: Refusal | undefined =
          exchange.method === 'POST' ? await takeMessages(exchange, admitted) : { kind: 'wrong_method' };
        if (exchange.res.destroyed) return;
        if (refusal !== undefined) admission.refuse(exchange, refusal, admitted.call.claims);
        else exchange.res.writeHead(202).end('Accepted');
      },
    },
  ];
}

function deliver(transport: SseTransport, message: JsonRpcMessage, authInfo: AuthInfo): void {
  transport.onmessage?.(message, { authInfo });
}
