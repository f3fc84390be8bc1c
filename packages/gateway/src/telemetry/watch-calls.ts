import type { Exchange } from '../http/exchange.ts';
import type { CallWatch, ForwardWatch, WatchCall, WatchedEnd, WatchedRequest } from './call-watch.ts';
import { clientKind, createToolLabel, methodLabel } from './labels.ts';
import type { Metrics } from './metrics.ts';
import type { ObservedRequests } from './request-observer.ts';
import { serverAttributes } from './server-attributes.ts';
import type { ActiveSpan, SpanEnd, Tracing } from './tracing.ts';

export interface WatchCallsOptions {
  readonly metrics: Metrics | undefined;
  readonly tracing: Tracing | undefined;
  readonly requests: ObservedRequests;
}

/** A call's stations, by `performance.now()`; 0: not reached. */
interface Stations {
  readonly beganMs: number;
  authenticatedMs: number;
  askedMs: number;
  sentMs: number;
  answeredMs: number;
}

/** What all calls of one backend have in common. */
interface Scene extends WatchCallsOptions {
  readonly backend: string;
  readonly server: Readonly<Record<string, string | number>>;
  readonly toolLabel: (name: string) => string;
}

type Operations = WatchedRequest['operations'];

/** Times for the metrics; spans too, for a request that is traced. */
export function watchCalls(options: WatchCallsOptions): WatchCall {
  return ({ name, upstream, rules }) => {
    const url = upstream === undefined ? null : URL.parse(upstream);
    const scene: Scene = {
      ...options,
      backend: name,
      server: { 'valetkey.backend': name, ...(url === null ? {} : serverAttributes(url)) },
      toolLabel: createToolLabel(rules),
    };
    return (exchange) => watchCall(scene, exchange);
  };
}

function watchCall(scene: Scene, exchange: Exchange): CallWatch {
  const { metrics, tracing, requests, backend } = scene;
  const observed = requests.find(exchange);
  const now = performance.now();
  const beganMs = observed?.startMs ?? now;
  const at: Stations = { beganMs, authenticatedMs: now, askedMs: 0, sentMs: 0, answeredMs: 0 };
  const requestSpan = observed?.span;
  let operations: Operations = [];
  let callSpan: ActiveSpan | undefined;

  /** A span that is known only when it is over. */
  const note = (name: string, parent: ActiveSpan | undefined, startMs: number) => {
    if (parent !== undefined) tracing?.begin(name, { parent, startMs }).end();
  };

  return {
    forwarding: watchForward(scene, exchange.method, at, () => callSpan ?? requestSpan),
    authenticated(clientId) {
      if (observed !== undefined && clientId !== undefined) observed.client = clientKind(clientId);
      note('authenticate', requestSpan, at.authenticatedMs);
      at.authenticatedMs = performance.now();
    },
    asked(asked) {
      at.askedMs = performance.now();
      ({ operations } = asked);
      if (requestSpan === undefined || tracing === undefined) return;
      const startMs = at.authenticatedMs;
      const caller = asked.trace;
      callSpan = tracing.begin('mcp', { parent: requestSpan, caller, kind: 'server', startMs });
    },
    judged: () => note('policy', callSpan, at.askedMs),
    ended(end) {
      if (metrics !== undefined) measure(scene, metrics, at, operations, end);
      callSpan?.end(describeSpan(scene, operations, end));
    },
    streaming() {
      if (metrics === undefined) return () => {};
      const { streams } = metrics.levels;
      streams.set(backend, (streams.get(backend) ?? 0) + 1);
      return () => void streams.set(backend, (streams.get(backend) ?? 1) - 1);
    },
  };
}

function watchForward(
  { metrics, tracing, server }: Scene,
  method: string,
  at: Stations,
  findParent: () => ActiveSpan | undefined,
): ForwardWatch {
  let span: ActiveSpan | undefined;
  return {
    sending() {
      at.sentMs = performance.now();
      const parent = findParent();
      if (parent === undefined || tracing === undefined) return [];
      const attributes = { 'http.request.method': method, ...server };
      span = tracing.begin(method, { parent, kind: 'client', attributes });
      return span.headers();
    },
    answered(answer) {
      at.answeredMs = performance.now();
      const result =
        'status' in answer ? { 'http.response.status_code': answer.status } : { 'error.type': answer.fault };
      const isError = 'fault' in answer || answer.status >= 400;
      const attributes = { 'http.request.method': method, ...server, ...result };
      metrics?.instruments.outbound.record((at.answeredMs - at.sentMs) / 1000, attributes);
      const errorType = isError ? String('fault' in answer ? answer.fault : answer.status) : undefined;
      span?.end({ attributes: result, errorType });
    },
  };
}

function measure(
  { backend, toolLabel }: Scene,
  { instruments }: Metrics,
  at: Stations,
  operations: Operations,
  { outcome, reason, httpStatus }: WatchedEnd,
): void {
  const endMs = performance.now();
  for (const { method, name } of operations) {
    instruments.operation.record((endMs - at.beganMs) / 1000, {
      'mcp.method.name': methodLabel(method),
      'valetkey.backend': backend,
      'valetkey.outcome': outcome,
      ...(method === 'tools/call' && name !== undefined ? { 'gen_ai.tool.name': toolLabel(name) } : {}),
      ...(httpStatus === undefined ? {} : { 'http.response.status_code': httpStatus }),
      ...(reason === undefined ? {} : { 'error.type': reason }),
    });
  }
  if (at.answeredMs === 0) return;
  // From the first byte of the answer on, waiting is for the backend or for the client.
  instruments.added.record((at.sentMs - at.beganMs) / 1000, { 'valetkey.backend': backend });
}

/** A batch is one span, under the name of its first operation. */
function describeSpan(
  { backend, toolLabel }: Scene,
  [first]: Operations,
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
