/** Metrics pushed to a collector, by the file or by the variables that a platform sets; and a collector that is away. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { openEventStream } from '../support/event-stream.ts';
import { prepareGateway } from '../support/gateway-process.ts';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { type Product, type ProductOptions, snippetsBackend, startProduct } from '../support/product.ts';

let collector: OtlpCollector;
let backend: CanaryBackend;
let product: Product | undefined;
beforeAll(async () => {
  collector = await startOtlpCollector();
  backend = await startCanaryBackend();
});
afterEach(async () => {
  await product?.close();
  delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  delete process.env['OTEL_EXPORTER_OTLP_HEADERS'];
  delete process.env['OTEL_EXPORTER_OTLP_TIMEOUT'];
  delete process.env['OTEL_RESOURCE_ATTRIBUTES'];
});
afterAll(async () => {
  await backend.close();
  await collector.close();
});

async function start(telemetry: Record<string, unknown>, env: ProductOptions['env'] = {}): Promise<Product> {
  product = await startProduct({
    config: { telemetry },
    env,
    backends: () => ({ snippets: snippetsBackend(backend.url) }),
  });
  return product;
}

test('metrics go where the file says, named after the service', async () => {
  const { endpoint } = collector;
  const { url } = await start({
    serviceName: 'front-door',
    metrics: { otlp: { endpoint, intervalSeconds: 1 } },
  });
  await fetch(`${url}/healthz`);
  await expect
    .poll(() => collector.metricNames.has('http.server.request.duration'), { timeout: 5000 })
    .toBe(true);
  expect(collector.resource).toMatchObject({
    'service.name': 'front-door',
    'telemetry.sdk.language': 'nodejs',
  });
  expect(String(collector.resource['service.instance.id'])).toMatch(/^[\da-f-]{36}$/);
  expect(String(collector.resource['service.version'])).toMatch(/^\d+\.\d+\.\d+/);
});

test('the variables of the platform decide where the file is silent', async () => {
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=a-key-of-the-collector',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=staging',
  };
  Object.assign(process.env, variables);
  const running = await start({}, { ...variables, OTEL_BSP_SCHEDULE_DELAY: '10' });
  const before = collector.spans.length;
  await fetch(`${running.url}/healthz`);
  await expect.poll(() => collector.spans.length).toBeGreaterThan(before);
  expect(collector.headers['x-api-key']).toBe('a-key-of-the-collector');
  expect(collector.resource['deployment.environment.name']).toBe('staging');
  expect(running.logLines.join()).not.toContain('a-key-of-the-collector');
});

test('a collector that is away costs a line in the log, and nobody anything else', async () => {
  const telemetry = {
    metrics: { otlp: { endpoint: 'http://127.0.0.1:1', intervalSeconds: 1 } },
    traces: { otlp: { endpoint: 'http://127.0.0.1:1' } },
  };
  process.env['OTEL_EXPORTER_OTLP_TIMEOUT'] = '500';
  const running = await start(telemetry, { OTEL_BSP_SCHEDULE_DELAY: '10' });
  const { accessToken } = await obtainTokens(running, running.people.reader);
  expect((await callMcp(running.mcpUrl, accessToken, 'tools/list')).status).toBe(200);
  const isTold = () => running.logLines.some((line) => line.includes('telemetry could not be sent'));
  await expect.poll(isTold, { timeout: 30_000 }).toBe(true);
});

test('a collector that takes everything and answers nothing does not keep the gateway from ending', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const otlp = { endpoint: `http://127.0.0.1:${port}` };
  const gateway = await prepareGateway(backend.url, {
    telemetry: { metrics: { otlp: { ...otlp, intervalSeconds: 1 } }, traces: { otlp } },
  });
  try {
    await gateway.start();
    await fetch(`${gateway.url}/healthz`);
    await once(silent, 'connection');
    const startedMs = performance.now();
    await gateway.stop();
    expect(performance.now() - startedMs).toBeLessThan(4_000);
  } finally {
    await gateway.close();
    silent.close();
  }
});

test('streams that stay open are a level, not a duration', async () => {
  const running = await start({ metrics: { prometheus: true } });
  const { accessToken } = await obtainTokens(running, running.people.reader);
  const level = async () => {
    const family = (await running.collect()).find(({ name }) => name === 'valetkey.streams.open');
    return family?.series[0]?.value;
  };
  const streams = [
    await openEventStream(running.mcpUrl, accessToken),
    await openEventStream(running.mcpUrl, accessToken),
  ];
  await expect.poll(level).toBe(2);
  for (const stream of streams) stream.close();
  await expect.poll(level).toBe(0);
});
