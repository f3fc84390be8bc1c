import type { Exchange } from '../http/exchange.ts';
import type { CallWatch, ForwardWatch, WatchCall, WatchedEnd, WatchedRequest } from './call-watch.ts';
import { clientKind, createToolLabel, methodLabel } from './labels.ts';
import type { Metrics } from './metrics.ts';
import type { Observed, ObservedRequests } from './request-observer.ts';
import { serverAttributes } from './server-attributes.ts';
import type { ActiveSpan, SpanEnd, Tracing } from './tracing.ts';

export interface WatchCallsOptions {
  readonly metrics: Metrics | undefined;
  readonly tracing: Tracing | undefined;
  readonly requests: ObservedRequests;
}

/** What all calls of one backend have in common. */
interface Scene extends WatchCallsOptions {
  readonly backend: string;
  readonly server: { readonly 'server.address'?: string; readonly 'server.port'?: number };
  readonly toolLabel: (name: string) => string;
}

/** Times for the metrics; spans too, for a request that is traced. */
export function watchCalls(options: WatchCallsOptions): WatchCall {
  return ({ name, upstream, rules }) => {
    const url = upstream === undefined ? null : URL.parse(upstream);
    const scene: Scene = {
      ...options,
      backend: name,
      server: url === null ? {} : serverAttributes(url),
      toolLabel: createToolLabel(rules),
    };
    return (exchange) => new WatchedCall(scene, exchange);
  };
}

/** A class, and one object for both sides of the call: there is one for each. The stations are `performance.now()`. */
class WatchedCall implements CallWatch, ForwardWatch {
  readonly #scene: Scene;
  readonly #httpMethod: string;
  readonly #observed: Observed | undefined;
  readonly #beganMs: number;
  #authenticatedMs: number;
  #askedMs = 0;
  #sentMs = 0;
  #answeredMs = 0;
  #operations: WatchedRequest['operations'] = [];
  #callSpan: ActiveSpan | undefined;
  #clientSpan: ActiveSpan | undefined;

  constructor(scene: Scene, exchange: Exchange) {
    this.#scene = scene;
    this.#httpMethod = exchange.method;
    this.#observed = scene.requests.find(exchange);
    this.#authenticatedMs = performance.now();
    this.#beganMs = this.#observed?.startMs ?? this.#authenticatedMs;
  }

  get forwarding(): ForwardWatch {
    return this;
  }

  authenticated(clientId: string | undefined): void {
    const observed = this.#observed;
    if (observed !== undefined && clientId !== undefined) observed.named.client = clientKind(clientId);
    this.#note('authenticate', observed?.span, this.#authenticatedMs);
    this.#authenticatedMs = performance.now();
  }

  asked({ operations, trace: caller }: WatchedRequest): void {
    this.#askedMs = performance.now();
    this.#operations = operations;
    const parent = this.#observed?.span;
    if (parent === undefined) return;
    const startMs = this.#authenticatedMs;
    this.#callSpan = this.#scene.tracing?.begin('mcp', { parent, caller, kind: 'server', startMs });
  }

  judged(): void {
    this.#note('policy', this.#callSpan, this.#askedMs);
  }

  sending(): readonly string[] {
    this.#sentMs = performance.now();
    const parent = this.#callSpan ?? this.#observed?.span;
    const { tracing } = this.#scene;
    if (parent === undefined || tracing === undefined) return [];
    const attributes = this.#describeServer();
    this.#clientSpan = tracing.begin(this.#httpMethod, { parent, kind: 'client', attributes });
    return this.#clientSpan.headers();
  }

  answered(answer: { readonly status: number } | { readonly fault: string }): void {
    this.#answeredMs = performance.now();
    const status = 'status' in answer ? answer.status : undefined;
    const fault = 'fault' in answer ? answer.fault : undefined;
    this.#measureAnswer(status, fault);
    if (this.#clientSpan === undefined) return;
    const attributes =
      status === undefined ? { 'error.type': fault } : { 'http.response.status_code': status };
    const isError = status === undefined || status >= 400;
    this.#clientSpan.end({ attributes, errorType: isError ? (fault ?? String(status)) : undefined });
  }

  ended(end: WatchedEnd): void {
    this.#measureCall(end);
    this.#callSpan?.end(describeSpan(this.#scene, this.#operations, end));
  }

  streaming(): () => void {
    const { metrics, backend } = this.#scene;
    if (metrics === undefined) return () => {};
    const { streams } = metrics.levels;
    streams.set(backend, (streams.get(backend) ?? 0) + 1);
    return () => void streams.set(backend, (streams.get(backend) ?? 1) - 1);
  }

  /** A span that is known only when it is over. */
  #note(name: string, parent: ActiveSpan | undefined, startMs: number): void {
    if (parent !== undefined) this.#scene.tracing?.begin(name, { parent, startMs }).end();
  }

  #describeServer() {
    const { server, backend } = this.#scene;
    return { 'http.request.method': this.#httpMethod, 'valetkey.backend': backend, ...server };
  }

  #measureAnswer(status: number | undefined, fault: string | undefined): void {
    const { metrics, backend, server } = this.#scene;
    metrics?.instruments.outbound.record((this.#answeredMs - this.#sentMs) / 1000, {
      'http.request.method': this.#httpMethod,
      'server.address': server['server.address'],
      'server.port': server['server.port'],
      'valetkey.backend': backend,
      'http.response.status_code': status,
      'error.type': fault,
    });
  }

  #measureCall({ outcome, reason, httpStatus }: WatchedEnd): void {
    const { metrics, backend, toolLabel } = this.#scene;
    if (metrics === undefined) return;
    const { operation, added } = metrics.instruments;
    const seconds = (performance.now() - this.#beganMs) / 1000;
    for (const { method, name } of this.#operations) {
      operation.record(seconds, {
        'valetkey.backend': backend,
        'mcp.method.name': methodLabel(method),
        'gen_ai.tool.name': method === 'tools/call' && name !== undefined ? toolLabel(name) : undefined,
        'valetkey.outcome': outcome,
        'http.response.status_code': httpStatus,
        'error.type': reason,
      });
    }
    // From the first byte of the answer on, waiting is for the backend or for the client.
    if (this.#answeredMs !== 0)
      added.record((this.#sentMs - this.#beganMs) / 1000, { 'valetkey.backend': backend });
  }
}

/** A batch is one span, under the name of its first operation. */
function describeSpan(
  { backend, toolLabel }: Scene,
  [first]: WatchedRequest['operations'],
  { outcome, reason, httpStatus }: WatchedEnd,
): SpanEnd {
  const { method, name } = first ?? { method: '' };
  const label = methodLabel(method);
  const tool = method === 'tools/call' && name !== undefined ? toolLabel(name) : undefined;
  return {
    name: tool === undefined || tool === 'other' ? label : `${label} ${tool}`,
    attributes: {
      'mcp.method.name': label,
      'valetkey.backend': backend,
      'valetkey.outcome': outcome,
      'network.transport': 'tcp',
      ...(tool === undefined ? {} : { 'gen_ai.tool.name': tool, 'gen_ai.operation.name': 'execute_tool' }),
      ...(httpStatus === undefined ? {} : { 'http.response.status_code': httpStatus }),
    },
    errorType: outcome === 'success' ? undefined : (reason ?? outcome),
  };
}
