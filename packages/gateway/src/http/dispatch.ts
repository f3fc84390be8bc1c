/**
 * Room `http`: the server, its limits, cookies, headers and error pages. Here the raw request is read, once; what
 * goes on is an `Exchange`. Knows no OAuth and no MCP beyond the names of headers that CORS must list.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createDerived } from '@valetkey/core/base/derived';
import type { RandomBytes } from '@valetkey/core/base/random';
import type { Logger } from 'pino';
import { StoreUnavailable } from '../store/driver.ts';
import { rateLimitKey } from './client-ip.ts';
import { applyCors, listMethods, preflightHeaders, withdrawCors } from './cors.ts';
import type { Exchange, Handler, Route } from './exchange.ts';
import type { RequestObserver, RequestWatch } from './observer.ts';
import { createHostPolicy, createOriginPolicy } from './origin-policy.ts';
import { hasPlainFraming } from './message-framing.ts';
import type { RateLimiter } from './rate-limit.ts';
import { type Refusal, refusals, sendRefusal } from './refuse.ts';
import { findRawHeader } from './raw-headers.ts';
import { createRequestIds } from './request-ids.ts';
import { checkRequestTarget } from './request-target.ts';
import { createRouteTable, findMethod } from './route-table.ts';
import { applySecurityHeaders } from './security-headers.ts';

export interface RouterOptions {
  /** The public origin; every `Exchange.url` is built on it. */
  readonly publicUrl: string;
  readonly clientIp: (req: IncomingMessage) => string;
  readonly limiter: RateLimiter;
  /** Pages of which origins may call `mcp` rows, and `oauth` rows that change something. See `createOriginPolicy`. */
  readonly allowedOrigins: 'any' | readonly string[];
  /** Accepted values of `Host` beside the one of `publicUrl` and the loopback names: `gateway:8080`. */
  readonly hostAliases?: readonly string[];
  /** Paths that answer under any `Host`, since an orchestrator probes the plain address. */
  readonly anyHostPaths?: readonly string[];
  readonly log: Logger;
  readonly random: RandomBytes;
  /** Looks at each request from outside; by default nobody does. */
  readonly observer?: RequestObserver | undefined;
  /** Whether what is done could not be recorded: then nothing that is recorded is begun. By default never. */
  readonly isAuditFull?: () => boolean;
  /** Answers what no row matches; by default a 404 page or JSON. */
  readonly notFound?: Handler;
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
const storeRetrySeconds = 2;
const auditRetrySeconds = 10;

/**
 * Builds the one request listener of the gateway from its route table.
 *
 * The order of the checks is the order of `dispatch` below: framing, target, host, preflight, row, method, origin, size,
 * rate limit, handler. CORS headers are set first, so that a page can read each of the refusals.
 *
 * @throws TypeError for a route table that contradicts itself.
 */
export function createRouter(
  routes: readonly Route[],
  options: RouterOptions,
): (req: IncomingMessage, res: ServerResponse) => void {
  const findRows = createRouteTable(routes);
  const isOwnHost = createHostPolicy(options.publicUrl, options.hostAliases);
  const isAllowedOrigin = createOriginPolicy(options.publicUrl, options.allowedOrigins);
  const anyHostPaths = new Set(options.anyHostPaths ?? ['/healthz', '/readyz']);
  const notFound: Handler = options.notFound ?? ((exchange) => sendRefusal(exchange, refusals.notFound));

  const nextId = createRequestIds(options.random);

  return (req, res) => {
    // A write that comes too late is nobody's trouble; without a listener it would end the process.
    res.on('error', ignore);
    const target = checkRequestTarget(req.url ?? '');
    const path = target.ok ? target.value.path : undefined;
    // A refused target never becomes a URL: `//evil.example` would be one of another host.
    const exchange = openExchange(req, res, path === undefined ? '/' : (req.url ?? '/'));
    const watch = options.observer?.begin(exchange);
    exchange.watch = watch;
    const fail = (fault: unknown) => answerFault(exchange, fault, options.log);
    try {
      const done = watch === undefined ? dispatch(exchange, path) : watch.run(() => dispatch(exchange, path));
      if (done instanceof Promise) done.catch(fail);
    } catch (fault) {
      fail(fault);
    }
  };

  /** @param path as received, so that a route matches bytes and not what a parser made of them. */
  function dispatch(exchange: Exchange, path: string | undefined): ReturnType<Handler> {
    const { req, res } = exchange;
    if (!hasPlainFraming(req)) {
      res.shouldKeepAlive = false;
      return sendRefusal(exchange, refusals.badFraming);
    }
    if (path === undefined) return sendRefusal(exchange, refusals.badTarget);
    const rows = findRows(path);
    const row = findMethod(rows, exchange.method);
    const [first] = rows;
    if (first !== undefined) exchange.watch?.matched(first.path);
    const cors = (row ?? first)?.cors ?? 'none';
    applyCors(res, cors);

    if (!isOwnHost(onlyHost(req.rawHeaders)) && !anyHostPaths.has(path))
      return sendRefusal(exchange, refusals.foreignHost);
    if (rows.length === 0) return notFound(exchange);
    if (exchange.method === 'OPTIONS') return answerOptions(exchange, rows);
    if (row === undefined) {
      res.setHeader('Allow', listMethods(rows).join(', '));
      return sendRefusal(exchange, refusals.wrongMethod);
    }
    if (isOriginChecked(row, exchange.method) && !isOriginOk(req)) {
      withdrawCors(res);
      return sendRefusal(exchange, refusals.foreignOrigin);
    }
    const refused = checkAudit(row, exchange) ?? checkSize(row, exchange) ?? checkRate(row, exchange);
    if (refused !== undefined) return sendRefusal(exchange, refused);
    return row.handler(exchange);
  }

  function openExchange(req: IncomingMessage, res: ServerResponse, target: string): OpenExchange {
    const id = nextId();
    res.setHeader('X-Request-Id', id);
    return new OpenExchange(id, target, options.publicUrl, options.clientIp(req), req, res);
  }

  function isOriginOk(req: IncomingMessage): boolean {
    const { origin } = req.headers;
    return origin === undefined || isAllowedOrigin(origin);
  }

  /** Fail closed: by setting, and until the records find room again. */
  function checkAudit(row: Route, { res }: Exchange): Refusal | undefined {
    if (row.isUnrecorded === true || options.isAuditFull?.() !== true) return undefined;
    res.setHeader('Retry-After', String(auditRetrySeconds));
    return refusals.auditUnavailable;
  }

  /** Counts the request against its row's limit and, when there were too many, says when to come back. */
  function checkRate(row: Route, exchange: Exchange): Refusal | undefined {
    if (row.limit === undefined) return undefined;
    const counted = options.limiter.check(row.limit, rateLimitKey(exchange.ip));
    if (counted.ok) return undefined;
    exchange.res.setHeader('Retry-After', String(counted.error.retryAfterSeconds));
    return refusals.tooMany;
  }
}

class OpenExchange implements Exchange {
  readonly id: string;
  readonly method: string;
  readonly ip: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly body: Uint8Array | undefined;
  watch: RequestWatch | undefined;
  readonly #target: string;
  readonly #publicUrl: string;
  #url: URL | undefined;

  constructor(
    id: string,
    target: string,
    publicUrl: string,
    ip: string,
    req: IncomingMessage,
    res: ServerResponse,
  ) {
    this.id = id;
    this.method = (req.method ?? 'GET').toUpperCase();
    this.ip = ip;
    this.req = req;
    this.res = res;
    this.body = (req as { readonly wholeBody?: Uint8Array }).wholeBody;
    this.#target = target;
    this.#publicUrl = publicUrl;
  }

  /** Most requests are for an MCP endpoint, which asks for no part of it. */
  get url(): URL {
    return (this.#url ??= new URL(this.#target, this.#publicUrl));
  }
}

function ignore(): void {}

/** Node takes the first of several; a proxy in front may have looked at another (RFC 9112 §3.2). */
const onlyHost = createDerived((rawHeaders: readonly string[]): string | undefined => {
  const host = findRawHeader(rawHeaders, 'host');
  return typeof host === 'string' ? host : undefined;
});

/** Before bearer checks and limits: a browser sends a preflight without credentials, and takes no challenge. */
function answerOptions({ req, res }: Exchange, rows: readonly Route[]): void {
  applySecurityHeaders(res);
  res.writeHead(204, preflightHeaders(req, rows)).end();
}

/** A page of one origin may read metadata from anywhere; what changes something, or is MCP, is checked. */
function isOriginChecked(row: Route, method: string): boolean {
  return row.cors === 'mcp' || (row.cors === 'oauth' && !safeMethods.has(method));
}

/**
 * An announced size that is too large is refused before a byte of it is read. Not for MCP rows: there the bearer
 * check comes first (401 before 413), and the handler reads the body with the same limit.
 */
function checkSize(row: Route, { req, res }: Exchange): Refusal | undefined {
  const announced = Number(req.headers['content-length'] ?? 0);
  if (row.cors === 'mcp' || row.maxBodyBytes === 0 || announced <= row.maxBodyBytes) return undefined;
  // Else Node would read the rest to keep the connection.
  res.shouldKeepAlive = false;
  return refusals.tooLarge;
}

/** A fault is ours: the log gets the cause, the caller gets the request id. */
function answerFault(exchange: Exchange, fault: unknown, log: Logger): void {
  const { res } = exchange;
  const unavailable = fault instanceof StoreUnavailable;
  log.error({ requestId: exchange.id, path: exchange.url.pathname, err: fault }, 'request failed');
  if (res.headersSent) {
    // Half an answer must not look like a whole one.
    res.destroy();
    return;
  }
  for (const name of res.getHeaderNames()) {
    if (!name.startsWith('access-control-') && name !== 'x-request-id') res.removeHeader(name);
  }
  if (unavailable) res.setHeader('Retry-After', String(storeRetrySeconds));
  sendRefusal(exchange, unavailable ? refusals.storeUnavailable : refusals.fault);
}
