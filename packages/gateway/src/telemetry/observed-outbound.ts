import type { Outbound } from '../entra/outbound.ts';
import type { Metrics } from './metrics.ts';
import { serverAttributes } from './server-attributes.ts';
import type { Tracing } from './tracing.ts';

/** How long Entra and Graph take, and how often they fail: by host alone, since a path can name a person. */
export function observeOutbound(
  outbound: Outbound,
  { metrics, tracing }: { readonly metrics: Metrics | undefined; readonly tracing: Tracing | undefined },
): Outbound {
  return {
    async send(request) {
      const attributes = {
        'http.request.method': request.method,
        ...serverAttributes(new URL(request.url)),
      };
      const startMs = performance.now();
      const span = tracing?.beginHere(request.method, attributes);
      const end = (result: Readonly<Record<string, string | number>>, errorType?: string) => {
        metrics?.instruments.outbound.record((performance.now() - startMs) / 1000, {
          ...attributes,
          'valetkey.backend': undefined,
          'http.response.status_code': result['http.response.status_code'],
          'error.type': result['error.type'],
        });
        span?.end({ attributes: result, errorType });
      };
      try {
        const answer = await outbound.send(request);
        const isError = answer.status >= 400;
        end({ 'http.response.status_code': answer.status }, isError ? String(answer.status) : undefined);
        return answer;
      } catch (fault) {
        const errorType = fault instanceof Error ? fault.name : 'unknown';
        end({ 'error.type': errorType }, errorType);
        throw fault;
      }
    },
    close: () => outbound.close(),
  };
}
