/**
 * The two addresses of a backend for clients of revision 2024-11-05 (HTTP+SSE): one where the stream opens, one for
 * messages. Both are the way of any other request up to here: token, policy, limits, audit. Behind them the backend is
 * spoken to as Streamable HTTP, whatever it speaks itself.
 *
 * A session lives in the process that holds its stream, and nowhere else: the store is too slow a way for messages.
 */
import { type RandomBytes, randomId } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { personId } from '@valetkey/core/policy/principal';
import type { LegacySseConfig } from '../../config/config.ts';
import type { Exchange } from '../../http/exchange.ts';
import type { BackendFault, BackendProxy, Forwarded, ForwardRequest, StreamEnd } from '../backend-proxy.ts';
import type { KeepAlive } from '../keep-alive.ts';
import { openEventStream } from '../messages/event-writer.ts';
import type { DescribeFault } from '../messages/post-answer.ts';
import { reply } from '../messages/reply.ts';
import { createInnerCalls } from './inner-call.ts';
import { createLegacySession, type LegacySession } from './legacy-session.ts';

export interface LegacyFront {
  /** Where the stream opens. */
  readonly sse: Pick<BackendProxy, 'forward'>;
  readonly message: Pick<BackendProxy, 'forward'>;
}

export interface LegacyFrontOptions {
  readonly addresses: LegacySseConfig;
  /** The way to the backend. */
  readonly proxy: BackendProxy;
  readonly keepAlive: KeepAlive;
  readonly random: RandomBytes;
  readonly describeFault: DescribeFault;
}

interface Entry {
  readonly person: string;
  readonly session: LegacySession;
}

const maxSessions = 10_000;
/** A client that comes again and again without leaving takes nobody else's room. */
const maxPerPerson = 50;

export function createLegacyFront(options: LegacyFrontOptions): LegacyFront {
  const { addresses, proxy, keepAlive, random, describeFault } = options;
  const calls = createInnerCalls(proxy);
  const sessions = new Map<string, Entry>();

  function open(exchange: Exchange, request: ForwardRequest): Result<Forwarded, BackendFault> {
    const { res } = exchange;
    const person = personId(request.principal);
    const own = [...sessions.values()].filter((each) => each.person === person).length;
    if (own >= maxPerPerson || sessions.size >= maxSessions) return err('busy');
    // Unguessable; and even known it is worth nothing to anybody else.
    const id = randomId(random);
    const opening = `event: endpoint\ndata: ${addresses.message}?sessionId=${id}\n\n`;
    const writer = openEventStream({ res, headers: {}, keepAlive, opening, waits: true });
    const session = createLegacySession({ calls, writer, describeFault, opening: { exchange, request } });
    sessions.set(id, { person, session });
    const ended = Promise.withResolvers<StreamEnd>();
    const onClose = () => {
      sessions.delete(id);
      session.close();
      ended.resolve(res.writableFinished ? 'backend_lost' : 'client_gone');
    };
    if (res.closed) onClose();
    else res.once('close', onClose);
    return ok({ status: 200, ended: ended.promise });
  }

  function take(exchange: Exchange, request: ForwardRequest): Result<Forwarded, BackendFault> {
    const [id = '', ...others] = exchange.url.searchParams.getAll('sessionId');
    const entry = others.length === 0 ? sessions.get(id) : undefined;
    if (entry?.person !== personId(request.principal)) return err('unknown_stream');
    const { value } = reply(exchange, 202);
    return ok({ ...value, ended: entry.session.take({ exchange, request }) });
  }

  return {
    sse: { forward: async (exchange, request) => open(exchange, request) },
    message: { forward: async (exchange, request) => take(exchange, request) },
  };
}
