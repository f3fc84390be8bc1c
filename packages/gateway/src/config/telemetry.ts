/** The `telemetry` and `accessLog` sections: who hears how the gateway is doing. */
import { isLoopbackHost } from '@valetkey/core/base/url';
import * as z from 'zod';
import { text } from './checked-text.ts';
import type { AccessLogConfig, Config, OtlpConfig, TelemetryConfig } from './config.ts';
import { bounds, defaults } from './defaults.ts';
import { type Complaint, type ConfigFault, complain } from './fault.ts';
import { resolvePath, type Sections, type Surroundings } from './references.ts';
import type { ConfigFile } from './schema.ts';
import { isUnsure } from './sound-parts.ts';
import { parseUrl } from './url-rules.ts';

const endpoint = text(checkOtlpEndpoint)
  .optional()
  .describe(
    'OTLP over HTTP: the base address of a collector, to which /v1/metrics and /v1/traces are added. Default: OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318.',
  );

export const telemetrySchema = z.strictObject({
  serviceName: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe(
      `service.name of everything that is told. Default: OTEL_SERVICE_NAME, else ${defaults.serviceName}.`,
    ),
  metrics: z
    .strictObject({
      prometheus: z
        .union([
          z.boolean(),
          z.strictObject({
            listen: text(checkListen)
              .optional()
              .describe(`Address and port of its own. Default: ${defaults.prometheusListen}.`),
          }),
        ])
        .default(false)
        .describe('GET /metrics for Prometheus, never on the port of the gateway.'),
      otlp: z
        .union([
          z.boolean(),
          z.strictObject({
            endpoint,
            intervalSeconds: z
              .int()
              .min(bounds.exportSeconds.min)
              .max(bounds.exportSeconds.max)
              .optional()
              .describe(`Default: OTEL_METRIC_EXPORT_INTERVAL, else ${defaults.exportSeconds}.`),
          }),
        ])
        .optional()
        .describe('Send metrics to a collector. Default: where OTEL_EXPORTER_OTLP_ENDPOINT is set.'),
    })
    .prefault({}),
  traces: z
    .strictObject({
      otlp: z
        .union([z.boolean(), z.strictObject({ endpoint })])
        .optional()
        .describe('Send traces to a collector. Default: where OTEL_EXPORTER_OTLP_ENDPOINT is set.'),
      sampleRatio: z
        .number()
        .min(0)
        .max(1)
        .optional()
        .describe('The part of requests that is traced. Default: OTEL_TRACES_SAMPLER_ARG, else 1.'),
      parentBased: z
        .boolean()
        .default(false)
        .describe(
          "Whether the caller's `traceparent` decides instead, where it has one: for a gateway behind a proxy of one's own.",
        ),
    })
    .prefault({}),
});

export const accessLogSchema = z
  .union([
    z.enum(['off', 'stdout']),
    z.boolean(),
    z.strictObject({ file: z.string().min(1).describe('Relative to the configuration file.') }),
  ])
  .default('off')
  .describe('One JSON line per request, beside the audit: off, stdout, or a file.');

type Environment = Surroundings['env'];

/** Undefined: nothing is measured, and nothing of OpenTelemetry is loaded. */
export function buildTelemetry(file: ConfigFile['telemetry'], env: Environment): TelemetryConfig | undefined {
  if (isDisabled(env)) return undefined;
  const { serviceName = env['OTEL_SERVICE_NAME'] ?? defaults.serviceName, metrics, traces } = file;
  const prometheus = buildPrometheus(metrics.prometheus, env);
  const metricsOtlp = buildOtlp(metrics.otlp, 'METRICS', env);
  const tracesOtlp = buildOtlp(traces.otlp, 'TRACES', env);
  if (prometheus === undefined && metricsOtlp === undefined && tracesOtlp === undefined) return undefined;
  const intervalSeconds =
    (typeof metrics.otlp === 'object' ? metrics.otlp.intervalSeconds : undefined) ??
    numberOf(env['OTEL_METRIC_EXPORT_INTERVAL'], bounds.exportSeconds, defaults.exportSeconds, 1000);
  const { parentBased, sampleRatio = ratioOf(env) } = traces;
  const delayMs = numberOf(env['OTEL_BSP_SCHEDULE_DELAY'], bounds.spanDelayMs, defaults.spanDelayMs);
  return {
    serviceName,
    metrics: {
      ...(prometheus === undefined ? {} : { prometheus }),
      ...(metricsOtlp === undefined ? {} : { otlp: { ...metricsOtlp, intervalSeconds } }),
    },
    ...(tracesOtlp === undefined ? {} : { traces: { otlp: tracesOtlp, sampleRatio, parentBased, delayMs } }),
  };
}

export function buildAccessLog(
  file: ConfigFile['accessLog'],
  surroundings: Surroundings,
): AccessLogConfig | undefined {
  if (file === 'off' || file === false) return undefined;
  return typeof file === 'object' ? { file: resolvePath(file.file, surroundings) } : {};
}

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
function isDisabled(env: Environment): boolean {
  return env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true';
}

function buildPrometheus(
  prometheus: ConfigFile['telemetry']['metrics']['prometheus'],
  env: Environment,
): TelemetryConfig['metrics']['prometheus'] {
  if (prometheus === false) return undefined;
  const { OTEL_EXPORTER_PROMETHEUS_HOST: host, OTEL_EXPORTER_PROMETHEUS_PORT: port } = env;
  const standard = parseListen(defaults.prometheusListen);
  const fromEnvironment = { host: host ?? standard.host, port: Number(port ?? standard.port) };
  const listen = prometheus === true ? undefined : prometheus.listen;
  return listen === undefined ? fromEnvironment : parseListen(listen);
}

/** Where the file says nothing, the variables that an operator's platform sets decide. */
function buildOtlp(
  otlp: boolean | { readonly endpoint?: string | undefined } | undefined,
  signal: 'METRICS' | 'TRACES',
  env: Environment,
): OtlpConfig | undefined {
  if (otlp === false) return undefined;
  if (otlp === true) return {};
  if (otlp !== undefined) return otlp.endpoint === undefined ? {} : { endpoint: otlp.endpoint };
  const isAsked =
    (env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '') !== '' ||
    (env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`] ?? '') !== '';
  const exporters = (env[`OTEL_${signal}_EXPORTER`] ?? 'otlp').split(',').map((name) => name.trim());
  return isAsked && exporters.includes('otlp') ? {} : undefined;
}

/** What a platform sets is not ours to refuse: what makes no sense is as if it were not there. */
function numberOf(
  written: string | undefined,
  { min, max }: { readonly min: number; readonly max: number },
  standard: number,
  unit = 1,
): number {
  const value = Number(written ?? Number.NaN) / unit;
  return value >= min && value <= max ? value : standard;
}

function ratioOf(env: Environment): number {
  const sampler = env['OTEL_TRACES_SAMPLER'] ?? '';
  if (sampler.endsWith('always_off')) return 0;
  const ratio = Number(env['OTEL_TRACES_SAMPLER_ARG'] ?? '1');
  return sampler.endsWith('traceidratio') && ratio >= 0 && ratio <= 1 ? ratio : 1;
}

function checkOtlpEndpoint(address: string): Complaint | undefined {
  const url = parseUrl(address);
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    return complain(
      'is not an http or https URL',
      'Write the base address of the collector, such as http://127.0.0.1:4318',
    );
  }
  if (url.username !== '' || url.password !== '' || url.search !== '') {
    return complain(
      'holds a user name, a password or a query',
      'Remove it; headers for the collector come from the variable OTEL_EXPORTER_OTLP_HEADERS',
    );
  }
  return undefined;
}

const listenPattern = /^(?<host>[\w.-]+|\[[0-9a-f:.]+\]):(?<port>\d{1,5})$/i;

function checkListen(address: string): Complaint | undefined {
  const port = Number(listenPattern.exec(address)?.groups?.['port'] ?? Number.NaN);
  return port <= 65_535
    ? undefined
    : complain('is not an address with a port', `Write it such as ${defaults.prometheusListen}`);
}

function parseListen(address: string): { readonly host: string; readonly port: number } {
  const { host = '', port = '' } = listenPattern.exec(address)?.groups ?? {};
  return { host: host.replaceAll(/[[\]]/g, ''), port: Number(port) };
}

/** Whoever scrapes must not reach the gateway by the same door, and the other way round. */
export function checkTelemetry(telemetry: Sections['telemetry'], listen: Sections['listen']): ConfigFault[] {
  const prometheus = telemetry?.metrics?.prometheus;
  if (typeof prometheus !== 'object' || prometheus.listen === undefined || isUnsure(listen, 'port'))
    return [];
  const { port } = parseListen(prometheus.listen);
  if (port === 0 || port !== (listen?.port ?? defaults.listenPort)) return [];
  return [
    {
      path: 'telemetry.metrics.prometheus.listen',
      problem: 'has the port that the gateway itself listens on',
      remedy: `Give the metrics a port of their own, such as ${defaults.prometheusListen}`,
    },
  ];
}

export function warnOfTelemetry({ telemetry }: Pick<Config, 'telemetry'>): ConfigFault[] {
  const host = telemetry?.metrics.prometheus?.host;
  if (host === undefined || isLoopbackHost(host)) return [];
  return [
    {
      path: 'telemetry.metrics.prometheus.listen',
      problem: 'metrics can be read by whoever reaches this address: there is no sign-in in front of them',
      remedy: 'Make sure that only the collector reaches it, or listen on loopback',
    },
  ];
}
