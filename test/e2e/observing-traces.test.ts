/** Traces as a collector gets them: what a request did, in the trace of whoever called, and nobody's name in it. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CanaryBackend, headerValues, startCanaryBackend } from '../support/canary-backend.ts';
import { callMcp, obtainTokens, type Tokens } from '../support/oauth-client.ts';
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { type Product, startProduct } from '../support/product.ts';

let collector: OtlpCollector;
let backend: CanaryBackend;
let product: Product;
let tokens: Tokens;

const tracing = (traces: Record<string, unknown>) => ({
  config: { telemetry: { serviceName: 'front-door', traces } },
  env: { OTEL_BSP_SCHEDULE_DELAY: '10' },
  backends: (snippetsUrl: string) => ({
    snippets: { path: '/snippets/mcp', upstream: snippetsUrl, scopes: ['snippets.use'] },
    canary: { path: '/canary/mcp', upstream: backend.url, scopes: ['canary.use'], tools: { known: {} } },
  }),
});

beforeAll(async () => {
  collector = await startOtlpCollector();
  backend = await startCanaryBackend();
  product = await startProduct(tracing({ otlp: { endpoint: collector.endpoint } }));
  tokens = await obtainTokens(product, product.people.reader, {
    resource: `${product.url}/canary/mcp`,
    scope: 'canary.use',
  });
});
afterAll(async () => {
  await product.close();
  await backend.close();
  await collector.close();
});
beforeEach(() => {
  backend.arrivals.splice(0);
});

const newTrace = () => ({ traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') });
const parentOf = ({ traceId, spanId }: { traceId: string; spanId: string }, flags = '01') =>
  `00-${traceId}-${spanId}-${flags}`;

const call = (params: Record<string, unknown>, headers: Record<string, string> = {}) =>
  callMcp(`${product.url}/canary/mcp`, tokens.accessToken, 'tools/call', params, headers);

async function spanWhere(isWanted: (span: CollectedSpan) => boolean): Promise<CollectedSpan> {
  await expect.poll(() => collector.spans.some(isWanted)).toBe(true);
  return collector.spans.find(isWanted) as CollectedSpan;
}
const childOf = (parent: CollectedSpan, name: string) =>
  spanWhere((span) => span.parentId === parent.spanId && span.name === name);

test('a call is one trace: the request, its authentication, the operation, the policy, the backend', async () => {
  const caller = newTrace();
  await call({ name: 'known' }, { traceparent: parentOf(caller) });
  const request = await spanWhere(({ parentId }) => parentId === caller.spanId);
  expect(request).toMatchObject({
    name: 'POST /canary/mcp',
    kind: 'server',
    traceId: caller.traceId,
    isError: false,
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/canary/mcp',
      'http.response.status_code': 200,
      'url.scheme': 'http',
    },
  });
  await childOf(request, 'authenticate');
  const operation = await childOf(request, 'tools/call known');
  expect(operation).toMatchObject({
    kind: 'server',
    attributes: {
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'known',
      'gen_ai.operation.name': 'execute_tool',
      'valetkey.backend': 'canary',
      'valetkey.outcome': 'success',
    },
  });
  await childOf(operation, 'policy');
  const sent = await childOf(operation, 'POST');
  expect(sent).toMatchObject({ kind: 'client', attributes: { 'http.response.status_code': 200 } });
  expect(headerValues(backend.arrivals[0], 'traceparent')).toEqual([
    `00-${caller.traceId}-${sent.spanId}-01`,
  ]);
});

test('SEP-414: the trace in `_meta` is the parent of the operation, the request is linked, and the body stays as it was', async () => {
  const inBody = newTrace();
  const inHeader = newTrace();
  const params = { name: 'known', _meta: { traceparent: parentOf(inBody), tracestate: 'rojo=1' } };
  await call(params, { traceparent: parentOf(inHeader), tracestate: 'congo=2' });
  const operation = await spanWhere(({ parentId }) => parentId === inBody.spanId);
  const request = await spanWhere(({ parentId }) => parentId === inHeader.spanId);
  expect(operation.traceId).toBe(inBody.traceId);
  expect(operation.links).toEqual([{ traceId: inHeader.traceId, spanId: request.spanId }]);
  const sent = await childOf(operation, 'POST');
  expect(headerValues(backend.arrivals[0], 'traceparent')).toEqual([
    `00-${inBody.traceId}-${sent.spanId}-01`,
  ]);
  expect(headerValues(backend.arrivals[0], 'tracestate')).toEqual(['rojo=1']);
  expect(JSON.parse(backend.arrivals[0]?.body ?? '')).toMatchObject({ params });
});

test.each([
  ['in the header', {}, { traceparent: 'x'.repeat(5000), tracestate: 'x' }],
  ['in the body', { _meta: { traceparent: ['00'], tracestate: { a: 1 } } }, {}],
])('nonsense %s begins a trace of its own and harms nothing', async (_where, meta, headers) => {
  const marker = `other-${randomBytes(4).toString('hex')}`;
  expect((await call({ name: marker, ...meta }, headers)).status).toBe(200);
  const [traceparent = ''] = headerValues(backend.arrivals[0], 'traceparent');
  expect(traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/);
  const traceId = traceparent.split('-')[1];
  const operation = await spanWhere((span) => span.traceId === traceId && span.name === 'tools/call');
  // A tool that no rule names is somebody's word.
  expect(operation.attributes['gen_ai.tool.name']).toBe('other');
});

test('a refusal ends the trace where it happened, with its reason', async () => {
  const caller = newTrace();
  const url = `${product.url}/canary/mcp`;
  await callMcp(url, undefined, 'tools/list', {}, { traceparent: parentOf(caller) });
  const request = await spanWhere(({ parentId }) => parentId === caller.spanId);
  expect(request).toMatchObject({ isError: false, attributes: { 'http.response.status_code': 401 } });
  expect(backend.arrivals).toEqual([]);
});

test('a sign-in shows what it waited for: the store, and Entra', async () => {
  const before = collector.spans.length;
  await obtainTokens(product, product.people.writer);
  const token = await spanWhere(
    (span) => span.name === 'POST /token' && collector.spans.indexOf(span) >= before,
  );
  await childOf(token, 'get sqlite');
  const callback = await spanWhere(
    (span) => span.name === 'GET /auth/callback' && collector.spans.indexOf(span) >= before,
  );
  const entra = await childOf(callback, 'POST');
  expect(entra).toMatchObject({
    kind: 'client',
    attributes: { 'server.address': 'localhost', 'http.response.status_code': 200 },
  });
});

test('A15 D13 D43: no person, no token, no query and no id of a page leaves with the traces', async () => {
  await spanWhere(({ name }) => name === 'POST /token');
  const all = Buffer.concat(collector.bodies).toString('latin1');
  expect(collector.resource).toMatchObject({ 'service.name': 'front-door' });
  const { reader, writer } = product.people;
  const users = product.emulator.seed.tenants.flatMap((tenant) => tenant.users);
  const ids = users.map(({ objectId }) => objectId);
  for (const word of [
    reader.username,
    writer.username,
    ...ids,
    'code=',
    'state=',
    tokens.accessToken,
    'Bearer',
  ])
    expect(all, word).not.toContain(word);
  expect(all).toContain('/consent/*');
  expect(all).not.toMatch(/\/consent\/[\w-]{20}/);
});

test('what is not sampled costs nothing and passes on what came, whatever the caller wishes', async () => {
  const own = await startOtlpCollector();
  const quiet = await startProduct(tracing({ otlp: { endpoint: own.endpoint }, sampleRatio: 0 }));
  try {
    const { accessToken } = await obtainTokens(quiet, quiet.people.reader, {
      resource: `${quiet.url}/canary/mcp`,
      scope: 'canary.use',
    });
    const caller = newTrace();
    const headers = { traceparent: parentOf(caller), tracestate: 'congo=2' };
    await callMcp(`${quiet.url}/canary/mcp`, accessToken, 'tools/list', {}, headers);
    expect(headerValues(backend.arrivals[0], 'traceparent')).toEqual([parentOf(caller)]);
    expect(headerValues(backend.arrivals[0], 'tracestate')).toEqual(['congo=2']);
  } finally {
    // Sends what is left.
    await quiet.close();
    await own.close();
  }
  expect(own.spans).toEqual([]);
});

test('behind a proxy of one’s own, the caller decides what is traced', async () => {
  const traces = { otlp: { endpoint: collector.endpoint }, sampleRatio: 0, parentBased: true };
  const behind = await startProduct(tracing(traces));
  const wanted = newTrace();
  const unwanted = newTrace();
  try {
    const url = `${behind.url}/canary/mcp`;
    await callMcp(url, undefined, 'tools/list', {}, { traceparent: parentOf(unwanted, '00') });
    await callMcp(url, undefined, 'tools/list', {}, { traceparent: parentOf(wanted, '01') });
  } finally {
    // Sends what is left.
    await behind.close();
  }
  expect(collector.spans.some(({ traceId }) => traceId === wanted.traceId)).toBe(true);
  expect(collector.spans.some(({ traceId }) => traceId === unwanted.traceId)).toBe(false);
});
