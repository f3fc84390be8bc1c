/**
 * Room `proxy`: from an allowed request to the backend and back. Knows backends, their credentials and headers;
 * knows neither tokens nor policy: who is calling is passed in, and that the request is allowed is settled.
 */
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '@valetkey/core/base/clock';
import type { Eventually } from '@valetkey/core/base/eventually';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { personId } from '@valetkey/core/policy/principal';
import type { Logger } from 'pino';
import type { BackendConfig } from '../config/config.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Store } from '../store/collection.ts';
import { StoreUnavailable } from '../store/driver.ts';
import type { BackendFault, BackendProxy, Forwarded, ForwardRequest, StreamEnd } from './backend-proxy.ts';
import type { BackendCredential, CredentialHeaders } from './credentials/backend-credential.ts';
import { createResponseHeaderFilter } from './header-tables.ts';
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
  const passToClient = createResponseHeaderFilter();
  const passToModernClient = createResponseHeaderFilter(['mcp-session-id']);
  const complete = Promise.resolve<StreamEnd>('complete');
  const headersFor = createUpstreamHeaders(options);
  const sessions = createSessionBinding({ store, clock, backend: backend.name });
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

  function headersOf(answer: Answer, request: ForwardRequest, isEventStream: boolean) {
    const headers = (request.era === 'modern' ? passToModernClient : passToClient)(answer.headers);
    headers['x-content-type-options'] = 'nosniff';
    // What one person's token fetched is nobody else's, unless the backend says otherwise.
    headers['cache-control'] ??= 'no-store';
    if (isEventStream) headers['x-accel-buffering'] = 'no';
    return headers;
  }

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
      const fault = watch.isGone() ? 'client_gone' : codeOf(error) === 'timeout' ? 'timeout' : 'unreachable';
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

  function relay(
    exchange: Exchange,
    request: ForwardRequest,
    answer: Answer,
    watch: ClientWatch,
  ): Eventually<Result<Forwarded, BackendFault>> {
    const { res } = exchange;
    const status = answer.statusCode;
    const kind = mediaType(answer.headers['content-type']);
    const isEventStream = kind === 'text/event-stream';
    const headers = headersOf(answer, request, isEventStream);

    if (request.rewriteMessage !== undefined && !isEventStream) {
      return readFiltered(answer, kind, request.rewriteMessage).then((body) =>
        relayFiltered(exchange, answer, headers, body, watch),
      );
    }

    if (request.rewriteMessage === undefined && answer.whole !== undefined) {
      if (status !== 204) headers['content-length'] = String(answer.whole.length);
      res.writeHead(status, headers);
      endWith(res, answer.whole);
      const end = res.destroyed ? 'client_gone' : 'complete';
      return ok({ status, end, ended: end === 'complete' ? complete : Promise.resolve(end) });
    }

    // A filtered stream has another length than the backend announced.
    if (request.rewriteMessage !== undefined) delete headers['content-length'];
    res.writeHead(status, headers);
    // Headers go out now: the first event may be an hour away, and a client waits for the headers to have come.
    res.flushHeaders();
    return ok({ status, ended: pump(exchange, request, answer, watch) });
  }

  function relayFiltered(
    exchange: Exchange,
    answer: Answer,
    headers: Record<string, string | string[]>,
    body: Uint8Array | undefined,
    watch: ClientWatch,
  ): Result<Forwarded, BackendFault> {
    const status = answer.statusCode;
    if (body === undefined) {
      if (watch.isGone()) return err('client_gone');
      if (answer.whole === undefined && answer.body.errored instanceof AnswerStalled) return err('timeout');
      log.warn({ ...about(exchange), status }, 'backend gave a list that cannot be filtered');
      return err('unusable_answer');
    }
    exchange.res.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
    return ok({ status, ended: complete });
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
      if (watch.isGone()) return 'client_gone';
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
    const bytes = await readWhole(answer);
    if (bytes === undefined || bytes.length === 0) return bytes;
    const isPlain = answer.headers['content-encoding'] === undefined;
    // An error in another form holds no list that a client could read.
    if (kind !== 'application/json') return answer.statusCode >= 400 ? bytes : undefined;
    const rewritten = isPlain ? rewriteJson(bytes, rewrite) : undefined;
    return rewritten?.ok === true ? rewritten.value : undefined;
  }

  /** @returns undefined where it is too large, or breaks. */
  async function readWhole(answer: Answer): Promise<Uint8Array | undefined> {
    if (answer.whole === undefined) return readBounded(bytesOf(answer), maxListBytes);
    return answer.whole.length > maxListBytes ? undefined : answer.whole;
  }

  function bytesOf({ body }: Answer): AsyncIterable<Uint8Array> {
    const { idleMs } = backend.timeouts;
    return idleMs === undefined ? body : withinIdleLimit(body, idleMs);
  }

  function about(exchange: Exchange, error?: unknown) {
    const cause = error instanceof MessageTooLarge ? 'message_too_large' : codeOf(error);
    return { requestId: exchange.id, backend: backend.name, cause };
  }
}

interface ClientWatch {
  /** Whether the client left before it had the whole answer. */
  isGone(): boolean;
}

/** Nobody works for a client that has left. */
function watchClient({ res }: Exchange, giveUp: () => void): ClientWatch {
  let isGone = false;
  res.on('close', () => {
    if (res.writableFinished) return;
    // Set where `pipeline` destroyed the stream for the backend's fault. A `destroy()` without an error, as when the
    // server stops, leaves it undefined.
    isGone = !res.errored;
    giveUp();
  });
  return { isGone: () => isGone };
}

/** Text is written together with the head, bytes after it: for a small answer that is half the work. */
function endWith(res: ServerResponse, body: Uint8Array): void {
  if (body.length > maxWrittenAsText) res.end(body);
  else res.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1'), 'latin1');
}

const maxWrittenAsText = 16 * 1024;

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
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

function mediaType(contentType: string | string[] | undefined): string {
  if (contentType === 'application/json') return contentType;
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
  if (answer.whole === undefined) answer.body.on('error', () => {}).destroy();
}
