import type { Exchange } from '../http/exchange.ts';
import type { RequestObserver, RequestWatch } from '../http/observer.ts';
import type { AccessLog } from './access-log.ts';
import { clientKind, type ClientKind, httpMethodLabel } from './labels.ts';
import type { Metrics } from './metrics.ts';
import type { ActiveSpan, Tracing } from './tracing.ts';

/** What is known of a request while it lasts. */
export interface Observed {
  /** `performance.now()`. */
  readonly startMs: number;
  readonly span: ActiveSpan | undefined;
  readonly named: Named;
}

/** Whose request it is, once that is known. */
interface Named {
  client: ClientKind | undefined;
}

export interface RequestObserverOptions {
  readonly metrics: Metrics | undefined;
  readonly tracing: Tracing | undefined;
  readonly accessLog: AccessLog | undefined;
  /** `https`, as clients see it. */
  readonly scheme: string;
}

export interface ObservedRequests extends RequestObserver {
  find(exchange: Exchange): Observed | undefined;
  /** For the access log: a sign-in's requests tell their client only by what is recorded of them. */
  nameClient(requestId: string, clientId: string): void;
}

/** One look at each request: when it began, which route it took, and what came of it when its last byte was out. */
export function createRequestObserver(options: RequestObserverOptions): ObservedRequests {
  const underWay = new Map<string, Named>();
  return {
    begin: (exchange) => new ObservedRequest(exchange, options, underWay),
    find: ({ watch }) => (watch instanceof ObservedRequest ? watch : undefined),
    nameClient(requestId, clientId) {
      const named = underWay.get(requestId);
      if (named !== undefined) named.client ??= clientKind(clientId);
    },
  };
}

/**
 * A class, since there is one for each request. No map leads to it: where entries come and go all the time, the tables
 * that a map has outgrown keep what was in them until a full collection.
 */
class ObservedRequest implements Observed, RequestWatch {
  readonly startMs = performance.now();
  readonly span: ActiveSpan | undefined;
  readonly named: Named = { client: undefined };
  #route: string | undefined;
  readonly #exchange: Exchange;
  readonly #options: RequestObserverOptions;
  readonly #bytesBefore: number;

  constructor(exchange: Exchange, options: RequestObserverOptions, underWay: Map<string, Named>) {
    const { metrics, tracing, accessLog } = options;
    const { id, req, res } = exchange;
    this.#exchange = exchange;
    this.#options = options;
    this.span = tracing?.beginRequest(callerOf(exchange), describeRequest(exchange, options));
    this.#bytesBefore = accessLog === undefined ? 0 : (req.socket?.bytesWritten ?? 0);
    if (metrics !== undefined) metrics.levels.requests += 1;
    if (accessLog !== undefined) underWay.set(id, this.named);
    // A filtered stream listens ten times to its response by itself.
    res.setMaxListeners(20);
    res.on('close', () => {
      if (metrics !== undefined) metrics.levels.requests -= 1;
      if (accessLog !== undefined) underWay.delete(id);
      this.#end();
    });
  }

  matched(route: string): void {
    this.#route = route;
  }

  run<Value>(work: () => Value): Value {
    const { tracing } = this.#options;
    return this.span === undefined || tracing === undefined ? work() : tracing.run(this.span, work);
  }

  #end(): void {
    const { metrics, accessLog } = this.#options;
    const { method, res } = this.#exchange;
    const durationMs = performance.now() - this.startMs;
    // Nginx's number for a client that went away before it was answered.
    const status = res.headersSent ? res.statusCode : 499;
    const errorType = errorOf(status, res.writableFinished);
    const name = httpMethodLabel(method);
    metrics?.instruments.request.record(durationMs / 1000, {
      'http.request.method': name,
      'http.response.status_code': status,
      'http.route': this.#route,
      'error.type': errorType,
    });
    if (this.span !== undefined) this.#endSpan(this.span, name, status, errorType);
    if (accessLog !== undefined) this.#log(accessLog, name, status, durationMs);
  }

  #endSpan(span: ActiveSpan, name: string, status: number, errorType: string | undefined): void {
    const route = this.#route;
    const attributes = {
      'http.request.method': name,
      'http.response.status_code': status,
      ...(route === undefined ? {} : { 'http.route': route }),
      ...(errorType === undefined ? {} : { 'error.type': errorType }),
    };
    span.end({ name: route === undefined ? name : `${name} ${route}`, attributes, errorType });
  }

  #log(accessLog: AccessLog, name: string, status: number, durationMs: number): void {
    const route = this.#route;
    const { client } = this.named;
    const { id, req } = this.#exchange;
    accessLog.write({
      requestId: id,
      method: name,
      ...(route === undefined ? {} : { route }),
      status,
      bytes: Math.max(0, (req.socket?.bytesWritten ?? 0) - this.#bytesBefore),
      durationMs: Math.round(durationMs * 100) / 100,
      ...(client === undefined ? {} : { client }),
    });
  }
}

function describeRequest({ id, method }: Exchange, { scheme }: RequestObserverOptions) {
  return {
    'http.request.method': httpMethodLabel(method),
    'url.scheme': scheme,
    'valetkey.request_id': id,
  };
}

/** A refusal of ours is no error of the server. */
function errorOf(status: number, isComplete: boolean): string | undefined {
  if (status >= 500) return String(status);
  return isComplete ? undefined : 'incomplete';
}

function callerOf({ req }: Exchange) {
  const { traceparent, tracestate } = req.headers;
  return {
    ...(typeof traceparent === 'string' ? { traceparent } : {}),
    ...(typeof tracestate === 'string' ? { tracestate } : {}),
  };
}
