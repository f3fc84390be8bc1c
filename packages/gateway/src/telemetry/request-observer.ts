import type { Exchange } from '../http/exchange.ts';
import type { RequestObserver, RequestWatch } from '../http/observer.ts';
import type { AccessLog } from './access-log.ts';
import { type ClientKind, httpMethodLabel } from './labels.ts';
import type { Metrics } from './metrics.ts';
import type { ActiveSpan, Tracing } from './tracing.ts';

/** What is known of a request while it lasts. */
export interface Observed {
  /** `performance.now()`. */
  readonly startMs: number;
  readonly span: ActiveSpan | undefined;
  route: string | undefined;
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
  /** A request that is under way, by its id. */
  findById(id: string): Observed | undefined;
}

/** One look at each request: when it began, which route it took, and what came of it when its last byte was out. */
export function createRequestObserver(options: RequestObserverOptions): ObservedRequests {
  const { metrics, tracing, accessLog, scheme } = options;
  const underWay = new Map<string, Observed>();

  function begin(exchange: Exchange): RequestWatch {
    const { id, method, req, res } = exchange;
    const observed: Observed = {
      startMs: performance.now(),
      span: tracing?.beginRequest(callerOf(exchange), {
        'http.request.method': httpMethodLabel(method),
        'url.scheme': scheme,
        'valetkey.request_id': id,
      }),
      route: undefined,
      client: undefined,
    };
    underWay.set(id, observed);
    if (metrics !== undefined) metrics.levels.requests += 1;
    const bytesBefore = req.socket?.bytesWritten ?? 0;
    // A filtered stream listens ten times to its response by itself.
    res.setMaxListeners(20);
    res.once('close', () => {
      underWay.delete(id);
      if (metrics !== undefined) metrics.levels.requests -= 1;
      end(exchange, observed, bytesBefore);
    });
    const { span } = observed;
    return {
      matched(route) {
        observed.route = route;
      },
      run: (work) => (span === undefined || tracing === undefined ? work() : tracing.run(span, work)),
    };
  }

  function end({ id, method, req, res }: Exchange, observed: Observed, bytesBefore: number): void {
    const durationMs = performance.now() - observed.startMs;
    const { route, span, client } = observed;
    const name = httpMethodLabel(method);
    // Nginx's number for a client that went away before it was answered.
    const status = res.headersSent ? res.statusCode : 499;
    const errorType = errorOf(status, res.writableFinished);
    const attributes = {
      'http.request.method': name,
      'http.response.status_code': status,
      ...(route === undefined ? {} : { 'http.route': route }),
      ...(errorType === undefined ? {} : { 'error.type': errorType }),
    };
    metrics?.instruments.request.record(durationMs / 1000, attributes);
    span?.end({ name: route === undefined ? name : `${name} ${route}`, attributes, errorType });
    accessLog?.write({
      requestId: id,
      method: name,
      ...(route === undefined ? {} : { route }),
      status,
      bytes: Math.max(0, (req.socket?.bytesWritten ?? 0) - bytesBefore),
      durationMs: Math.round(durationMs * 100) / 100,
      ...(client === undefined ? {} : { client }),
    });
  }

  return {
    begin,
    find: ({ id }) => underWay.get(id),
    findById: (id) => underWay.get(id),
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
