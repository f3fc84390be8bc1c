import type { Exchange } from '../http/exchange.ts';
import type { CallWatch, ForwardWatch, WatchCall, WatchedEnd, WatchedRequest } from './call-watch.ts';
import { clientKind, createToolLabel, methodLabel } from './labels.ts';
import type { Metrics } from './metrics.ts';
import type { ObservedRequests } from './request-observer.ts';
import { serverAttributes } from './server-attributes.ts';
import type { ActiveSpan, Tracing } from './tracing.ts';

export interface WatchCallsOptions {
  readonly metrics: Metrics | undefined;
  readonly tracing: Tracing | undefined;
  readonly requests: ObservedRequests;
}

/** Milliseconds of a call's stations, by `performance.now()`. */
interface Stations {
  began: number;
  authenticated: number;
  asked: number;
  sent: number;
  answered: number;
}

/** Times for the metrics; spans too, for a request that is traced. */
export function watchCalls({ metrics, tracing, requests }: WatchCallsOptions): WatchCall {
  return (backend) => {
    const toolLabel = createToolLabel(backend.rules);
    const upstream = backend.upstream === undefined ? null : URL.parse(backend.upstream);
    const server = {
      'valetkey.backend': backend.name,
      ...(upstream === null ? {} : serverAttributes(upstream)),
    };

    return (exchange: Exchange): CallWatch => {
      const observed = requests.find(exchange);
      const now = performance.now();
      const at: Stations = {
        began: observed?.startMs ?? now,
        authenticated: now,
        asked: 0,
        sent: 0,
        answered: 0,
      };
      const requestSpan = observed?.span;
      let operations: WatchedRequest['operations'] = [];
      let callSpan: ActiveSpan | undefined;
      let clientSpan: ActiveSpan | undefined;

      /** A span that is known only when it is over. */
      const note = (name: string, parent: ActiveSpan | undefined, startMs: number) => {
        if (parent !== undefined) tracing?.begin(name, { parent, startMs }).end();
      };

      const forwarding: ForwardWatch = {
        sending() {
          at.sent = performance.now();
          const parent = callSpan ?? requestSpan;
          if (parent === undefined || tracing === undefined) return [];
          const attributes = { 'http.request.method': exchange.method, ...server };
          clientSpan = tracing.begin(exchange.method, { parent, kind: 'client', attributes });
          return clientSpan.headers();
        },
        answered(answer) {
          at.answered = performance.now();
          const result =
            'status' in answer
              ? { 'http.response.status_code': answer.status }
              : { 'error.type': answer.fault };
          const isError = 'fault' in answer || answer.status >= 400;
          const attributes = { 'http.request.method': exchange.method, ...server, ...result };
          metrics?.instruments.outbound.record((at.answered - at.sent) / 1000, attributes);
          const errorType = isError ? String('fault' in answer ? answer.fault : answer.status) : undefined;
          clientSpan?.end({ attributes: result, errorType });
        },
      };

      return {
        forwarding,
        authenticated(clientId) {
          if (observed !== undefined && clientId !== undefined) observed.client = clientKind(clientId);
          note('authenticate', requestSpan, at.authenticated);
          at.authenticated = performance.now();
        },
        asked(asked) {
          at.asked = performance.now();
          ({ operations } = asked);
          if (requestSpan === undefined || tracing === undefined) return;
          const startMs = at.authenticated;
          const caller = asked.trace;
          callSpan = tracing.begin('mcp', { parent: requestSpan, caller, kind: 'server', startMs });
        },
        judged: () => note('policy', callSpan, at.asked),
        ended(end) {
          if (metrics !== undefined) measure(metrics, end);
          callSpan?.end(describe(end));
        },
        streaming() {
          if (metrics === undefined) return () => {};
          const { streams } = metrics.levels;
          streams.set(backend.name, (streams.get(backend.name) ?? 0) + 1);
          return () => void streams.set(backend.name, (streams.get(backend.name) ?? 1) - 1);
        },
      };

      function measure({ instruments }: Metrics, { outcome, reason, httpStatus }: WatchedEnd): void {
        const endMs = performance.now();
        for (const { method, name } of operations) {
          instruments.operation.record((endMs - at.began) / 1000, {
            'mcp.method.name': methodLabel(method),
            'valetkey.backend': backend.name,
            'valetkey.outcome': outcome,
            ...(method === 'tools/call' && name !== undefined ? { 'gen_ai.tool.name': toolLabel(name) } : {}),
            ...(httpStatus === undefined ? {} : { 'http.response.status_code': httpStatus }),
            ...(reason === undefined ? {} : { 'error.type': reason }),
          });
        }
        if (at.answered === 0) return;
        // From the first byte of the answer on, waiting is for the backend or for the client.
        instruments.added.record((at.sent - at.began) / 1000, { 'valetkey.backend': backend.name });
      }

      function describe({ outcome, reason, httpStatus }: WatchedEnd) {
        const [first] = operations;
        const { method, name } = first ?? { method: '' };
        const label = methodLabel(method);
        const tool = method === 'tools/call' && name !== undefined ? toolLabel(name) : undefined;
        return {
          name: tool === undefined || tool === 'other' ? label : `${label} ${tool}`,
          attributes: {
            'mcp.method.name': label,
            'valetkey.backend': backend.name,
            'valetkey.outcome': outcome,
            'network.transport': 'tcp',
            ...(tool === undefined
              ? {}
              : { 'gen_ai.tool.name': tool, 'gen_ai.operation.name': 'execute_tool' }),
            ...(httpStatus === undefined ? {} : { 'http.response.status_code': httpStatus }),
          },
          errorType: outcome === 'success' ? undefined : (reason ?? outcome),
        };
      }
    };
  };
}
