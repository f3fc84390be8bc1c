/**
 * Room `proxy`: from an allowed request to the backend and back. Knows backends, their credentials and headers;
 * knows neither tokens nor policy: who is calling is passed in, and that the request is allowed is settled.
 */
import type { Clock } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { personId } from '@valetkey/core/policy/principal';
import type { Logger } from 'pino';
import type { BackendConfig } from '../config/config.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Store } from '../store/collection.ts';
import { StoreUnavailable } from '../store/driver.ts';
import { createAnswerRelay } from './answer-relay.ts';
import type { BackendFault, BackendProxy, ForwardRequest } from './backend-proxy.ts';
import { type ClientWatch, watchClient } from './client-watch.ts';
import type { BackendCredential, CredentialHeaders } from './credentials/backend-credential.ts';
import { causeOf } from './fault-cause.ts';
import type { IdentitySigner } from './identity.ts';
import { type KeepAlive, noKeepAlive } from './keep-alive.ts';
import { createSessionBinding, isSoundSessionId, type SessionBinding } from './session-binding.ts';
import { createUpstreamHeaders } from './upstream-headers.ts';
import { openUpstream } from './upstream/open-upstream.ts';
import type { Answer } from './upstream/upstream.ts';

export interface BackendProxyOptions {
  readonly backend: BackendConfig;
  readonly identity: IdentitySigner;
  /** Closed with the proxy. */
  readonly credential: BackendCredential;
  /** Has whose sessions of the legacy era are, for all replicas. */
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** For event streams that are silent; default: nothing is done. */
  readonly keepAlive?: KeepAlive;
  /** Largest message that is filtered, in bytes; default 4 MiB. Everything else has no bound. */
  readonly maxListBytes?: number;
}

/** What the modern era does not have, and no client can make a backend have. */
const sessionless = { 'mcp-session-id': '', 'last-event-id': '' };
const jsonBody = { 'content-type': 'application/json' };
const sessionlessJson = { ...sessionless, ...jsonBody };
const nothing = {};

interface Sent {
  readonly answer: Answer;
  readonly watch: ClientWatch;
}

export function createBackendProxy(options: BackendProxyOptions): BackendProxy {
  const { backend, credential, store, clock, log, keepAlive = noKeepAlive } = options;
  const { maxListBytes = 4 * 1024 * 1024 } = options;
  const address = new URL(backend.upstream);
  // The query is the operator's, never the client's: it could overwrite a key of the upstream URL.
  const path = address.pathname + address.search;
  const headersFor = createUpstreamHeaders(options);
  const sessions = createSessionBinding({ store, clock, backend: backend.name });
  const relay = createAnswerRelay({ backend, log, keepAlive, maxListBytes });
  const upstream = openUpstream(address.origin, { connectMs: backend.timeouts.connectMs });

  return {
    async forward(exchange, request) {
      const person = personId(request.principal);
      const sessionId = sessionOf(exchange, request);
      const strange = sessionId === undefined ? undefined : await checkSession(sessionId, person, sessions);
      if (strange !== undefined) return err(strange);

      // Most credentials are at hand: only a token that must be fetched is waited for.
      const own = credential.headersFor(request.principal);
      const shown = own instanceof Promise ? await own : own;
      if (!shown.ok) return shown;
      const sent = await send(exchange, request, shown.value);
      if (!sent.ok) return sent;
      const { answer, watch } = sent.value;

      const issued = request.era === 'modern' ? undefined : answer.headers['mcp-session-id'];
      const fault =
        checkAnswer(answer) ??
        (issued === undefined ? undefined : await bindSession(issued, person, sessions));
      if (fault !== undefined) {
        log.warn({ ...about(exchange), fault, status: answer.statusCode }, 'backend gave an unusable answer');
        discard(answer);
        return err(fault);
      }
      if (sessionId !== undefined && endsSession(exchange, answer)) await sessions.forget(sessionId);
      return relay(exchange, request, answer, watch);
    },
    async close() {
      await Promise.all([upstream.close(), credential.close()]);
    },
  };

  /** A 401 is about the gateway's credential: where there is another one, the request goes out once more with it. */
  async function send(
    exchange: Exchange,
    request: ForwardRequest,
    shown: CredentialHeaders,
    isLast = false,
  ): Promise<Result<Sent, BackendFault>> {
    const written = headersFor(exchange, request, shown, ownHeaders(request));
    const headers = written instanceof Promise ? await written : written;
    if (exchange.res.closed) return err('client_gone');
    const { firstByteMs } = backend.timeouts;
    const asking = upstream.ask({ path, method: exchange.method, headers, body: request.body, firstByteMs });
    const watch = watchClient(exchange, asking.giveUp);
    let answer: Answer;
    try {
      answer = await asking.answer;
    } catch (error) {
      const fault = watch.isGone() ? 'client_gone' : causeOf(error) === 'timeout' ? 'timeout' : 'unreachable';
      request.watch?.answered({ fault });
      if (fault !== 'client_gone') log.warn({ ...about(exchange, error), fault }, 'backend gave no answer');
      return err(fault);
    }
    request.watch?.answered({ status: answer.statusCode });
    if (answer.statusCode !== 401 || isLast) return ok({ answer, watch });
    const challenge = [answer.headers['www-authenticate'] ?? []].flat().join(', ');
    const other = await credential.renewed(request.principal, shown, challenge);
    if (!other.ok && other.error === 'credential_refused') return ok({ answer, watch });
    discard(answer);
    return other.ok ? send(exchange, request, other.value, true) : other;
  }

  function about(exchange: Exchange, error?: unknown) {
    return { requestId: exchange.id, backend: backend.name, cause: causeOf(error) };
  }
}

function ownHeaders({ era, body }: ForwardRequest): Readonly<Record<string, string>> {
  if (body === undefined) return era === 'modern' ? sessionless : nothing;
  return era === 'modern' ? sessionlessJson : jsonBody;
}

function sessionOf({ req }: Exchange, request: ForwardRequest): string | undefined {
  const header = req.headers['mcp-session-id'];
  return request.era === 'modern' || header === undefined ? undefined : [header].flat().join(', ');
}

/**
 * 401 and 407 are about the credential between gateway and backend: passed on, they would start the client's
 * sign-in anew, without end. A redirect would send the client, and its token, somewhere else.
 */
function checkAnswer({ statusCode }: Answer): BackendFault | undefined {
  if (statusCode === 401 || statusCode === 407) return 'credential_refused';
  return statusCode < 200 || (statusCode >= 300 && statusCode < 400) ? 'unusable_answer' : undefined;
}

async function checkSession(
  sessionId: string,
  person: string,
  sessions: SessionBinding,
): Promise<BackendFault | undefined> {
  try {
    return (await sessions.isOwner(sessionId, person)) ? undefined : 'unknown_session';
  } catch (fault) {
    if (fault instanceof StoreUnavailable) return 'store_unavailable';
    throw fault;
  }
}

async function bindSession(
  issued: unknown,
  person: string,
  sessions: SessionBinding,
): Promise<BackendFault | undefined> {
  try {
    const isBound = isSoundSessionId(issued) && (await sessions.bind(issued, person));
    return isBound ? undefined : 'unusable_answer';
  } catch (fault) {
    if (fault instanceof StoreUnavailable) return 'store_unavailable';
    throw fault;
  }
}

function endsSession({ method }: Exchange, { statusCode }: Answer): boolean {
  return statusCode === 404 || (method === 'DELETE' && statusCode < 300);
}

function discard(answer: Answer): void {
  if (answer.whole === undefined) answer.body.on('error', () => {}).destroy();
}
