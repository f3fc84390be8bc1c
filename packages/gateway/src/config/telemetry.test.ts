import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Config } from './config.ts';
import { loadConfig } from './load.ts';
import { listConfigWarnings } from './warnings.ts';

const base = {
  publicUrl: 'https://mcp.contoso.com',
  entra: {
    tenant: '8f5c1d0e-5b1f-4c2a-9d3e-2f6a7b8c9d0e',
    clientId: '31b2a4c6-7d8e-4f90-a1b2-c3d4e5f60718',
    credential: { managedIdentity: { clientId: '77aa88bb-99cc-40dd-8eff-001122334455' } },
  },
  backends: { snippets: { path: '/snippets/mcp', upstream: 'http://127.0.0.1:7071/mcp' } },
};

function load(part: Record<string, unknown>, env: Record<string, string> = {}) {
  return loadConfig({ source: { text: stringify({ ...base, ...part }) }, env });
}

function configOf(part: Record<string, unknown>, env: Record<string, string> = {}): Config {
  const loaded = load(part, env);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

test('without a word about it nothing is measured, and there is no access log', () => {
  const config = configOf({});
  expect(config).not.toHaveProperty('telemetry');
  expect(config).not.toHaveProperty('accessLog');
});

test.each([
  [{ metrics: { prometheus: true } }, {}, { host: '127.0.0.1', port: 9464 }],
  [{ metrics: { prometheus: { listen: '0.0.0.0:9000' } } }, {}, { host: '0.0.0.0', port: 9000 }],
  [{ metrics: { prometheus: { listen: '[::1]:9000' } } }, {}, { host: '::1', port: 9000 }],
  [
    { metrics: { prometheus: {} } },
    { OTEL_EXPORTER_PROMETHEUS_HOST: '10.0.0.1', OTEL_EXPORTER_PROMETHEUS_PORT: '9999' },
    { host: '10.0.0.1', port: 9999 },
  ],
])('the Prometheus listener of %j with %j is %j', (telemetry, env, expected) => {
  expect(configOf({ telemetry }, env).telemetry?.metrics.prometheus).toEqual(expected);
});

test.each<[string, Record<string, unknown>, Record<string, string>, unknown]>([
  [
    'the file',
    {
      serviceName: 'front-door',
      metrics: { otlp: { endpoint: 'http://127.0.0.1:4318', intervalSeconds: 10 } },
      traces: { otlp: true, sampleRatio: 0.25, parentBased: true },
    },
    {},
    {
      serviceName: 'front-door',
      metrics: { otlp: { endpoint: 'http://127.0.0.1:4318', intervalSeconds: 10 } },
      traces: { otlp: {}, sampleRatio: 0.25, parentBased: true, delayMs: 5000 },
    },
  ],
  [
    'the variables of the platform',
    {},
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_SERVICE_NAME: 'gateway-eu',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
      OTEL_METRIC_EXPORT_INTERVAL: '5000',
      OTEL_BSP_SCHEDULE_DELAY: 'soon',
    },
    {
      serviceName: 'gateway-eu',
      metrics: { otlp: { intervalSeconds: 5 } },
      traces: { otlp: {}, sampleRatio: 0.5, parentBased: false, delayMs: 5000 },
    },
  ],
  [
    'one signal by variable, the other taken back',
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_METRICS_EXPORTER: 'none' },
    {
      serviceName: 'valetkey',
      metrics: {},
      traces: { otlp: {}, sampleRatio: 1, parentBased: false, delayMs: 5000 },
    },
  ],
  [
    'a file that wants less than the variables',
    { traces: { otlp: false } },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' },
    { serviceName: 'valetkey', metrics: { otlp: { intervalSeconds: 60 } } },
  ],
  [
    'a platform that switches all off',
    { metrics: { prometheus: true } },
    { OTEL_SDK_DISABLED: 'true' },
    undefined,
  ],
])('what is told, and to whom, is decided by %s', (_who, telemetry, env, expected) => {
  expect(configOf({ telemetry }, env).telemetry).toEqual(expected);
});

test.each([
  ['off', undefined],
  ['stdout', {}],
  [{ file: './access.log' }, { file: resolve('access.log') }],
])('accessLog: %j', (accessLog, expected) => {
  expect(configOf({ accessLog }).accessLog).toEqual(expected);
});

test('faults are told all at once, each with its remedy', () => {
  const loaded = load({
    listen: { port: 9464 },
    telemetry: {
      metrics: { prometheus: { listen: 'here' }, otlp: { endpoint: 'https://user:word@collector' } },
      traces: { sampleRatio: 2 },
    },
  });
  const faults = loaded.ok ? [] : loaded.error;
  expect(faults.map(({ path }) => path).toSorted()).toEqual([
    'telemetry.metrics.otlp.endpoint',
    'telemetry.metrics.prometheus.listen',
    'telemetry.traces.sampleRatio',
  ]);
  expect(JSON.stringify(faults)).toContain('OTEL_EXPORTER_OTLP_HEADERS');
  expect(JSON.stringify(faults)).not.toContain('word@');
});

test('the metrics never share the port of the gateway', () => {
  const telemetry = { metrics: { prometheus: { listen: '127.0.0.1:8080' } } };
  const loaded = load({ telemetry });
  expect(loaded.ok ? [] : loaded.error.map(({ path }) => path)).toEqual([
    'telemetry.metrics.prometheus.listen',
  ]);
});

test('metrics that others can reach are warned about', () => {
  const warned = (listen: string) =>
    listConfigWarnings(configOf({ telemetry: { metrics: { prometheus: { listen } } } })).map(
      ({ path }) => path,
    );
  expect(warned('0.0.0.0:9464')).toContain('telemetry.metrics.prometheus.listen');
  expect(warned('127.0.0.1:9464')).not.toContain('telemetry.metrics.prometheus.listen');
});
