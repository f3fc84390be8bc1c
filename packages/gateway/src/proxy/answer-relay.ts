/** From the answer of a backend to the client: as it comes, or filtered where it holds what a person must not see. */
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { asBuffer } from '@valetkey/core/base/bytes';
import type { Eventually } from '@valetkey/core/base/eventually';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Logger } from 'pino';
import type { BackendConfig } from '../config/config.ts';
import type { Exchange } from '../http/exchange.ts';
import type { BackendFault, Forwarded, ForwardRequest, StreamEnd } from './backend-proxy.ts';
import type { ClientWatch } from './client-watch.ts';
import { causeOf } from './fault-cause.ts';
import { createResponseHeaderFilter } from './header-tables.ts';
import { type KeepAlive, keepPipeAlive } from './keep-alive.ts';
import { createEventStreamRewriter, type RewriteMessage, rewriteJson } from './response-filter.ts';
import { AnswerStalled, withinIdleLimit } from './resilience/idle-limit.ts';
import type { Answer, AnswerHeaders } from './upstream/upstream.ts';

export interface AnswerRelayOptions {
  readonly backend: BackendConfig;
  readonly log: Logger;
  readonly keepAlive: KeepAlive;
  /** Largest message that is filtered, in bytes. Everything else has no bound. */
  readonly maxListBytes: number;
}

type ClientHeaders = Readonly<Record<string, string | string[]>>;

/** @returns when the head of the answer is out; or why nothing was sent. */
export type AnswerRelay = (
  exchange: Exchange,
  request: ForwardRequest,
  answer: Answer,
  watch: ClientWatch,
) => Eventually<Result<Forwarded, BackendFault>>;

export function createAnswerRelay({
  backend,
  log,
  keepAlive,
  maxListBytes,
}: AnswerRelayOptions): AnswerRelay {
  const passToClient = createResponseHeaderFilter();
  const passToModernClient = createResponseHeaderFilter(['mcp-session-id']);
  const complete = Promise.resolve<StreamEnd>('complete');
  const known = {
    modern: new WeakMap<AnswerHeaders, ClientHeaders>(),
    legacy: new WeakMap<AnswerHeaders, ClientHeaders>(),
  };

  return (exchange, request, answer, watch) => {
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
      const isSized = headers['content-length'] !== undefined || status === 204;
      res.writeHead(status, isSized ? headers : { ...headers, 'content-length': answer.whole.length });
      endWith(res, answer.whole);
      const end = res.destroyed ? 'client_gone' : 'complete';
      return ok({ status, end, ended: end === 'complete' ? complete : Promise.resolve(end) });
    }

    // A filtered stream has another length than the backend announced.
    const { 'content-length': _length, ...unsized } = headers;
    res.writeHead(status, request.rewriteMessage === undefined ? headers : unsized);
    // Headers go out now: the first event may be an hour away, and a client waits for the headers to have come.
    res.flushHeaders();
    return ok({ status, ended: pump(exchange, request, answer, watch) });
  };

  /** Those of a backend are the same for many answers, and so is what is made of them. */
  function headersOf({ headers }: Answer, { era }: ForwardRequest, isEventStream: boolean): ClientHeaders {
    const ofEra = known[era];
    const found = ofEra.get(headers);
    if (found !== undefined) return found;
    const made = (era === 'modern' ? passToModernClient : passToClient)(headers);
    made['x-content-type-options'] = 'nosniff';
    // What one person's token fetched is nobody else's, unless the backend says otherwise.
    made['cache-control'] ??= 'no-store';
    if (isEventStream) made['x-accel-buffering'] = 'no';
    ofEra.set(headers, Object.freeze(made));
    return made;
  }

  function relayFiltered(
    exchange: Exchange,
    answer: Answer,
    headers: ClientHeaders,
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
    return { requestId: exchange.id, backend: backend.name, cause: causeOf(error) };
  }
}

/** Text is written together with the head, bytes after it: for a small answer that is half the work. */
function endWith(res: ServerResponse, body: Uint8Array): void {
  if (body.length > maxWrittenAsText) res.end(body);
  else res.end(asBuffer(body).toString('latin1'), 'latin1');
}

const maxWrittenAsText = 16 * 1024;

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
