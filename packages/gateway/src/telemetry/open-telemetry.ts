import { loadOptional } from '@valetkey/core/base/optional-package';
import type { RandomBytes } from '@valetkey/core/base/random';
import type { Clock } from '@valetkey/core/base/clock';
import type { Logger } from 'pino';
import type { Config, TelemetryConfig } from '../config/config.ts';
import { openAccessLog } from './access-log.ts';
import { createAuditMeter } from './audit-meter.ts';
import { createDraw } from './draw.ts';
import { observeDriver } from './observed-driver.ts';
import { observeOutbound } from './observed-outbound.ts';
import { createRequestObserver } from './request-observer.ts';
import { noTelemetry, type Telemetry } from './telemetry.ts';
import { watchCalls } from './watch-calls.ts';

export interface TelemetryWorld {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Pick<Logger, 'error' | 'warn'>;
}

/** Opens what the configuration asks for, and loads nothing else. */
export async function openTelemetry(
  config: Pick<Config, 'telemetry' | 'accessLog' | 'publicUrl' | 'store' | 'clients'>,
  world: TelemetryWorld,
): Promise<Telemetry> {
  if (config.telemetry === undefined && config.accessLog === undefined) return noTelemetry;
  const sdk = config.telemetry === undefined ? undefined : await openSdk(config.telemetry, world);
  const { metrics, tracing } = sdk ?? {};
  const accessLog = config.accessLog === undefined ? undefined : openAccessLog(config.accessLog, world);
  const scheme = new URL(config.publicUrl).protocol.slice(0, -1);
  const requests = createRequestObserver({ metrics, tracing, accessLog, scheme });
  const configured = new Set(config.clients.preRegistered.map(({ clientId }) => clientId));
  const meter = metrics === undefined ? undefined : createAuditMeter(metrics.instruments, configured);
  const { driver } = config.store;
  const system = driver === 'postgres' ? 'postgresql' : driver;
  return {
    requests,
    watchCall: watchCalls({ metrics, tracing, requests }),
    observeDriver: (each) => (sdk === undefined ? each : observeDriver(each, { system, metrics, tracing })),
    observeOutbound: (each) => (sdk === undefined ? each : observeOutbound(each, { metrics, tracing })),
    onRecord(record) {
      meter?.(record);
      const { correlationId, clientId } = record;
      if (accessLog !== undefined && clientId !== undefined) requests.nameClient(correlationId, clientId);
    },
    report: (sources) => metrics?.report(sources),
    collect: async () => (await metrics?.collect()) ?? [],
    async close() {
      await Promise.all([metrics?.close(), tracing?.close(), accessLog?.close()]);
    },
  };
}

async function openSdk(config: TelemetryConfig, { random, log }: TelemetryWorld) {
  const { createResource, reportFaults } = await loadOptional('`telemetry`', () => import('./sdk.ts'));
  const resource = createResource(config.serviceName);
  reportFaults(log);
  const { prometheus, otlp } = config.metrics;
  const hasMetrics = prometheus !== undefined || otlp !== undefined;
  const metrics = hasMetrics
    ? await (await import('./metrics.ts')).openMetrics(config.metrics, resource)
    : undefined;
  const tracing =
    config.traces === undefined
      ? undefined
      : (await import('./tracing.ts')).openTracing({
          config: config.traces,
          resource,
          draw: createDraw(random),
        });
  return { metrics, tracing };
}
