/**
 * One session of a backend of revision 2024-11-05 as a link: messages come as events of a stream, and go as POSTs to
 * the address that its first event names. Every request carries the gateway's headers as any other does.
 */
import { err, ok, type Result } from '@valetkey/core/base/result';
import { onOneLine } from '@valetkey/core/mcp/faithful-json';
import type { Logger } from 'pino';
import { type Dispatcher, Pool } from 'undici';
import type { BackendConfig } from '../../config/config.ts';
import { type BackendFault, faultName } from '../backend-proxy.ts';
import type { CredentialHeaders } from '../credentials/backend-credential.ts';
import { readEvents, type StreamEvent } from '../event-reader.ts';
import type { Carrier, LinkEvents, MessageLink, OpenLink } from '../messages/message-link.ts';
import { createUpstreamHeaders, listHeaders, type UpstreamHeadersOptions } from '../upstream-headers.ts';
import { parseEndpoint } from './endpoint.ts';

export interface SseLinkOptions extends UpstreamHeadersOptions {
  readonly backend: BackendConfig;
  readonly log: Logger;
}

export interface SseLinks {
  readonly open: OpenLink;
  close(): Promise<void>;
}

interface Request {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** As long as a line of a command may be. */
const maxEventLength = 10 * 1024 * 1024;

/** Of the session between client and gateway, which the backend knows nothing of. */
const notItsOwn = { 'mcp-session-id': '', 'last-event-id': '', accept: '' };

export function createSseLinks(options: SseLinkOptions): SseLinks {
  const { backend, credential, log } = options;
  const { connectMs, firstByteMs } = backend.timeouts;
  const sse = new URL(backend.upstream);
  const headersFor = createUpstreamHeaders(options);
  const pool = new Pool(sse.origin, {
    connections: null,
    pipelining: 1,
    allowH2: false,
    connect: { timeout: connectMs },
    headersTimeout: firstByteMs,
    bodyTimeout: 0,
  });

  /** With the credential, and once more with another one where the first is refused. */
  async function request(
    carrier: Carrier,
    asked: Request,
  ): Promise<Result<Dispatcher.ResponseData, BackendFault>> {
    const { principal } = carrier.request;
    const shown = await credential.headersFor(principal);
    if (!shown.ok) return shown;
    const first = await send(carrier, asked, shown.value);
    if (!first.ok || first.value.statusCode !== 401) return first;
    const challenge = [first.value.headers['www-authenticate'] ?? []].flat().join(', ');
    const renewed = await credential.renewed(principal, shown.value, challenge);
    if (!renewed.ok) return renewed.error === 'credential_refused' ? first : renewed;
    discard(first.value);
    return send(carrier, asked, renewed.value);
  }

  async function send(
    { exchange, request: by }: Carrier,
    asked: Request,
    shown: CredentialHeaders,
  ): Promise<Result<Dispatcher.ResponseData, BackendFault>> {
    const headers = listHeaders(await headersFor(exchange, by, shown, { ...notItsOwn, ...asked.headers }));
    const { method, path, signal, body = null } = asked;
    try {
      const answer = await pool.request({ method, path, headers, body, signal });
      // It can break before anybody reads it: without a listener that ends the process.
      answer.body.on('error', () => {});
      return ok(answer);
    } catch (error) {
      return err(
        (error as { code?: unknown }).code === 'UND_ERR_HEADERS_TIMEOUT' ? 'timeout' : 'unreachable',
      );
    }
  }

  async function open(carrier: Carrier, events: LinkEvents): Promise<Result<MessageLink, BackendFault>> {
    const ending = new AbortController();
    const opened = await request(carrier, {
      method: 'GET',
      path: sse.pathname + sse.search,
      headers: { accept: 'text/event-stream' },
      signal: ending.signal,
    });
    if (!opened.ok) return tell(carrier, opened.error);
    const answer = opened.value;
    const fault = checkStream(answer);
    if (fault !== undefined) {
      discard(answer);
      return tell(carrier, fault, { status: answer.statusCode });
    }
    const stream = readEvents(answer.body, maxEventLength);
    const path = await findEndpoint(stream, firstByteMs);
    const endpoint = typeof path === 'string' ? parseEndpoint(path, sse) : path;
    if (!endpoint.ok) {
      ending.abort();
      const reason = endpoint.error;
      return tell(carrier, reason === 'timeout' ? reason : 'unusable_answer', { reason });
    }
    const ended = endOf(readMessages(stream, events), ending);
    return ok({
      ended,
      send: (text, by) => post(by, endpoint.value, text, ending),
      async close() {
        ending.abort();
        await ended;
      },
    });
  }

  async function post(
    carrier: Carrier,
    path: string,
    body: string,
    ending: AbortController,
  ): Promise<BackendFault | undefined> {
    const sent = await request(carrier, {
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json' },
      body,
      signal: ending.signal,
    });
    if (!sent.ok) return sent.error;
    const { statusCode } = sent.value;
    // Its own body says nothing that the stream does not.
    discard(sent.value);
    if (statusCode >= 200 && statusCode < 300) return undefined;
    // It has forgotten the session although the stream is open: nothing more will come of it.
    if (statusCode === 404) ending.abort();
    const fault = faultOf(statusCode);
    log.warn({ ...about(carrier), status: statusCode, fault: faultName(fault) }, 'backend took no message');
    return fault;
  }

  function tell(carrier: Carrier, fault: BackendFault, why: object = {}) {
    log.warn({ ...about(carrier), ...why, fault: faultName(fault) }, 'backend opened no stream');
    return err(fault);
  }

  function about({ exchange }: Carrier) {
    return { requestId: exchange.id, backend: backend.name };
  }

  return {
    open,
    async close() {
      await Promise.all([pool.destroy(), credential.close()]);
    },
  };
}

function checkStream({ statusCode, headers }: Dispatcher.ResponseData): BackendFault | undefined {
  if (statusCode !== 200) return faultOf(statusCode);
  const type = [headers['content-type'] ?? ''].flat().join();
  return /^text\/event-stream *(;|$)/i.test(type) ? undefined : 'unusable_answer';
}

function faultOf(statusCode: number): BackendFault {
  if (statusCode === 401 || statusCode === 407) return 'credential_refused';
  if (statusCode === 404) return 'unknown_session';
  return statusCode === 429 || statusCode === 503 ? 'busy' : 'unusable_answer';
}

/** @returns what the first event names, or why there is none. */
async function findEndpoint(
  stream: AsyncGenerator<StreamEvent>,
  timeoutMs: number,
): Promise<string | { readonly ok: false; readonly error: 'timeout' | 'unusable_answer' }> {
  const late = Promise.withResolvers<'timeout'>();
  const timer = setTimeout(() => late.resolve('timeout'), timeoutMs);
  try {
    const first = await Promise.race([stream.next(), late.promise]);
    if (first === 'timeout') return err('timeout');
    const isEndpoint = first.done !== true && first.value.type === 'endpoint';
    return isEndpoint ? first.value.data : err('unusable_answer');
  } catch {
    return err('unusable_answer');
  } finally {
    clearTimeout(timer);
  }
}

/** When the stream has ended, or nobody wants it any more. Never rejects. */
async function endOf(reading: Promise<void>, ending: AbortController): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  ending.signal.addEventListener('abort', () => aborted.resolve());
  await Promise.race([reading, aborted.promise]);
  ending.abort();
}

/** Reads on only when what was read has found its place. Never rejects. */
async function readMessages(stream: AsyncGenerator<StreamEvent>, { onMessage }: LinkEvents): Promise<void> {
  try {
    for await (const { type, data } of stream) if (type === 'message') await onMessage(onOneLine(data));
  } catch {
    // The stream broke, or was ended.
  }
}

function discard(answer: Dispatcher.ResponseData): void {
  answer.body.destroy();
}
