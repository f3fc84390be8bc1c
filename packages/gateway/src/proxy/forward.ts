/**
 * Room `proxy`: from an allowed request to the backend and back. Knows backends, their credentials and headers;
 * knows neither tokens nor policy: who is calling is passed in, and that the request is allowed is settled.
 */
import { pipeline } from 'node:stream/promises';
import type { Clock } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { personId } from '@valetkey/core/policy/principal';
import type { Logger } from 'pino';
import { type Dispatcher, Pool } from 'undici';
import type { BackendConfig } from '../config/config.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Store } from '../store/collection.ts';
import { StoreUnavailable } from '../store/driver.ts';
import type { BackendFault, BackendProxy, Forwarded, ForwardRequest, StreamEnd } from './backend-proxy.ts';
import type { BackendCredential, CredentialHeaders } from './credentials/backend-credential.ts';
import { responseHeadersForClient } from './header-tables.ts';
import type { IdentitySigner } from './identity.ts';
import { type KeepAlive, keepPipeAlive, noKeepAlive } from './keep-alive.ts';
import {
  createEventStreamRewriter,
  MessageTooLarge,
  type RewriteMessage,
  rewriteJson,
} from './response-filter.ts';
import { AnswerStalled, withinIdleLimit } from './resilience/idle-limit.ts';
import { createSessionBinding, isSoundSessionId, type SessionBinding } from './session-binding.ts';
import { createUpstreamHeaders } from './upstream-headers.ts';

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

type Answer = Dispatcher.ResponseData;

/** What the modern era does not have, and no client can make a backend have. */
const sessionless = { 'mcp-session-id': '', 'last-event-id': '' };

interface Sent {
  readonly answer: Answer;
  readonly watch: ClientWatch;
}

export function createBackendProxy(options: BackendProxyOptions): BackendProxy {
  const { backend, credential, store, clock, log, keepAlive = noKeepAlive } = options;
  const { maxListBytes = 4 * 1024 * 1024 } = options;
  const upstream = new URL(backend.upstream);
  const headersFor = createUpstreamHeaders(options);
  const sessions = createSessionBinding({ store, clock, backend: backend.name });
  const pool = new Pool(upstream.origin, {
    // No bound on connections: an event stream holds one for hours, and must not keep the next call waiting.
    connections: null,
    // One request per connection, so that aborting one never harms another.
    pipelining: 1,
    allowH2: false,
    connect: { timeout: backend.timeouts.connectMs },
    // Time to the first byte is ours to measure; between bytes a stream may be silent as long as it likes.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  return {
    async forward(exchange, request) {
      const person = personId(request.principal);
      const sessionId = sessionOf(exchange, request);
      const strange = await checkSession(sessionId, person, sessions);
      if (strange !== undefined) return err(strange);

      // Most credentials are at hand: only a token that must be fetched is waited for.
      const own = credential.headersFor(request.principal);
      const shown = own instanceof Promise ? await own : own;
      if (!shown.ok) return shown;
      const sent = await send(exchange, request, shown.value);
      if (!sent.ok) return sent;
      const { answer, watch } = sent.value;

      const fault = checkAnswer(answer) ?? (await bindSession(answer, request, person, sessions));
      if (fault !== undefined) {
        log.warn({ ...about(exchange), fault, status: answer.statusCode }, 'backend gave an unusable answer');
        discard(answer);
        return err(fault);
      }
      if (sessionId !== undefined && endsSession(exchange, answer)) await sessions.forget(sessionId);
      return relay(exchange, request, answer, watch);
    },
    async close() {
      await Promise.all([pool.destroy(), credential.close()]);
    },
  };

  /** A 401 is about the gateway's credential: where there is another one, the request goes out once more with it. */
  async function send(
    exchange: Exchange,
    request: ForwardRequest,
    shown: CredentialHeaders,
    isLast = false,
  ): Promise<Result<Sent, BackendFault>> {
    const headers = await headersFor(exchange, request, shown, {
      ...(request.era === 'modern' ? sessionless : {}),
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
    });
    const watch = watchClient(exchange, backend.timeouts.firstByteMs);
    let answer: Answer;
    try {
      answer = await pool.request({
        // The query is the operator's, never the client's: it could overwrite a key of the upstream URL.
        path: upstream.pathname + upstream.search,
        method: exchange.method,
        headers,
        body: request.body ?? null,
        signal: watch.signal,
      });
    } catch (error) {
      const fault = watch.cause() ?? 'unreachable';
      request.watch?.answered({ fault });
      if (fault !== 'client_gone') log.warn({ ...about(exchange, error), fault }, 'backend gave no answer');
      return err(fault);
    } finally {
      watch.stopTimer();
    }
    request.watch?.answered({ status: answer.statusCode });
    if (answer.statusCode !== 401 || isLast) return ok({ answer, watch });
    const challenge = [answer.headers['www-authenticate'] ?? []].flat().join(', ');
    const other = await credential.renewed(request.principal, shown, challenge);
    if (!other.ok && other.error === 'credential_refused') return ok({ answer, watch });
    discard(answer);
    return other.ok ? send(exchange, request, other.value, true) : other;
  }

  async function relay(
    exchange: Exchange,
    request: ForwardRequest,
    answer: Answer,
    watch: ClientWatch,
  ): Promise<Result<Forwarded, BackendFault>> {
    const { res } = exchange;
    const status = answer.statusCode;
    const headers = headersOf(answer, request);
    const kind = mediaType(answer.headers['content-type']);
    const isEventStream = kind === 'text/event-stream';

    if (request.rewriteMessage !== undefined && !isEventStream) {
      const body = await readFiltered(answer, kind, request.rewriteMessage);
      if (body === undefined) {
        if (watch.cause() !== undefined) return err('client_gone');
        if (answer.body.errored instanceof AnswerStalled) return err('timeout');
        log.warn({ ...about(exchange), status }, 'backend gave a list that cannot be filtered');
        return err('unusable_answer');
      }
      res.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
      return ok({ status, ended: Promise.resolve('complete') });
    }

    // A filtered stream has another length than the backend announced.
    if (request.rewriteMessage !== undefined) delete headers['content-length'];
    res.writeHead(status, headers);
    // Headers go out now: the first event may be an hour away, and a client waits for the headers to have come.
    res.flushHeaders();
    return ok({ status, ended: pump(exchange, request, answer, watch) });
  }

  async function pump(
    exchange: Exchange,
    request: ForwardRequest,
    answer: Answer,
    watch: ClientWatch,
  ): Promise<StreamEnd> {
    const { res } = exchange;
    const isEventStream = mediaType(answer.headers['content-type']) === 'text/event-stream';
    const rewriter =
      request.rewriteMessage === undefined
        ? undefined
        : createEventStreamRewriter(request.rewriteMessage, maxListBytes);
    const stop = isEventStream ? keepPipeAlive(keepAlive, rewriter ?? answer.body, res) : undefined;
    try {
      if (rewriter === undefined) await pipeline(isEventStream ? answer.body : bytesOf(answer), res);
      else await pipeline(answer.body, rewriter, res);
      return 'complete';
    } catch (error) {
      if (watch.cause() === 'client_gone') return 'client_gone';
      // `pipeline` has destroyed the client's stream: half an answer must not look like a whole one.
      log.warn(about(exchange, error), 'backend stream broke');
      return 'backend_lost';
    } finally {
      stop?.();
    }
  }

  /** @returns the filtered body, or undefined when it cannot be read as what it claims to be. */
  async function readFiltered(
    answer: Answer,
    kind: string,
    rewrite: RewriteMessage,
  ): Promise<Uint8Array | undefined> {
    const bytes = await readBounded(bytesOf(answer), maxListBytes);
    if (bytes === undefined || bytes.length === 0) return bytes;
    const isPlain = answer.headers['content-encoding'] === undefined;
    // An error in another form holds no list that a client could read.
    if (kind !== 'application/json') return answer.statusCode >= 400 ? bytes : undefined;
    const rewritten = isPlain ? rewriteJson(bytes, rewrite) : undefined;
    return rewritten?.ok === true ? rewritten.value : undefined;
  }

  function bytesOf({ body }: Answer): AsyncIterable<Uint8Array> {
    const { idleMs } = backend.timeouts;
    return idleMs === undefined ? body : withinIdleLimit(body, idleMs);
  }

  function about(exchange: Exchange, error?: unknown) {
    const cause =
      error instanceof MessageTooLarge ? 'message_too_large' : (error as { code?: unknown })?.code;
    return { requestId: exchange.id, backend: backend.name, cause };
  }
}

interface ClientWatch {
  readonly signal: AbortSignal;
  /** Why the signal fired; undefined while it has not. */
  cause(): 'client_gone' | 'timeout' | undefined;
  stopTimer(): void;
}

/** One signal for both reasons to give the backend up: the client left, or the first byte is late. */
function watchClient({ res }: Exchange, firstByteTimeoutMs: number): ClientWatch {
  const controller = new AbortController();
  let cause: 'client_gone' | 'timeout' | undefined;
  const give = (up: 'client_gone' | 'timeout') => {
    if (cause !== undefined) return;
    cause = up;
    controller.abort();
  };
  const timer = setTimeout(() => give('timeout'), firstByteTimeoutMs);
  const onClose = () => {
    clearTimeout(timer);
    // Set where `pipeline` destroyed the stream for the backend's fault. A `destroy()` without an error, as when the
    // server stops, leaves it undefined.
    if (!res.writableFinished && !res.errored) give('client_gone');
    else controller.abort();
  };
  if (res.closed) onClose();
  else res.once('close', onClose);
  return { signal: controller.signal, cause: () => cause, stopTimer: () => clearTimeout(timer) };
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
  sessionId: string | undefined,
  person: string,
  sessions: SessionBinding,
): Promise<BackendFault | undefined> {
  try {
    const isOwn = sessionId === undefined || (await sessions.isOwner(sessionId, person));
    return isOwn ? undefined : 'unknown_session';
  } catch (fault) {
    if (fault instanceof StoreUnavailable) return 'store_unavailable';
    throw fault;
  }
}

async function bindSession(
  answer: Answer,
  request: ForwardRequest,
  person: string,
  sessions: SessionBinding,
): Promise<BackendFault | undefined> {
  const issued = answer.headers['mcp-session-id'];
  if (issued === undefined || request.era === 'modern') return undefined;
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

function headersOf(answer: Answer, request: ForwardRequest): Record<string, string | string[]> {
  const headers = responseHeadersForClient(answer.headers);
  if (request.era === 'modern') delete headers['mcp-session-id'];
  headers['x-content-type-options'] = 'nosniff';
  // What one person's token fetched is nobody else's, unless the backend says otherwise.
  headers['cache-control'] ??= 'no-store';
  if (mediaType(answer.headers['content-type']) === 'text/event-stream') headers['x-accel-buffering'] = 'no';
  return headers;
}

function mediaType(contentType: string | string[] | undefined): string {
  return [contentType ?? ''].flat().join().split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

async function readBounded(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      // Leaving the loop destroys the stream, and with it the connection.
      if (size > maxBytes) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

function discard(answer: Answer): void {
  answer.body.on('error', () => {}).destroy();
}
