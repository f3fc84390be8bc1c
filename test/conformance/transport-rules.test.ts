/**
 * The rules of MCP's Streamable HTTP that bind a proxy (MCP 2026-07-28 Transports, SEP-2243; for the older eras
 * 2025-11-25 Transports), one test each, before a real backend of both eras. The conformance tool holds some of them a
 * second time, with and without the gateway in the path: transparency.test.ts.
 */
import { jsonRpcCodes } from '@valetkey/core/mcp/errors';
import { answerRefusal, type Refusal } from '@valetkey/gateway/enforce/refusal';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CanaryBackend, headerValues, startCanaryBackend } from '../support/canary-backend.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { type RawBackend, startRawBackend, streamMethod } from '../support/raw-backend.ts';
import { send } from '../support/raw-http.ts';
import { type FullBackend, startFullBackend } from './backend/full-backend.ts';

const version = '2026-07-28';
const prefix = 'io.modelcontextprotocol/';
const versionKey = `${prefix}protocolVersion`;
const envelope = {
  [versionKey]: version,
  [`${prefix}clientInfo`]: { name: 'test', version: '1' },
  [`${prefix}clientCapabilities`]: {},
};

let product: Product;
let full: FullBackend;
let canary: CanaryBackend;
let raw: RawBackend;
const tokens = new Map<string, string>();

beforeAll(async () => {
  [full, canary, raw] = await Promise.all([startFullBackend(), startCanaryBackend(), startRawBackend()]);
  const backend = (path: string, upstream: string) => ({
    title: path,
    path,
    upstream,
    scopes: { use: 'Use it' },
    tools: { test_image_content: { anyRole: ['Snippets.Writer'] } },
  });
  product = await startProduct({
    backends: () => ({
      full: backend('/full/mcp', full.url),
      canary: backend('/canary/mcp', canary.url),
      raw: backend('/raw/mcp', raw.url),
    }),
  });
  for (const path of ['/full/mcp', '/canary/mcp', '/raw/mcp']) {
    const resource = product.url + path;
    tokens.set(
      path,
      (await obtainTokens(product, product.people.reader, { resource, scope: 'use' })).accessToken,
    );
  }
});
afterAll(async () => {
  await product.close();
  await full.close();
  await canary.close();
  await raw.close();
});
beforeEach(() => void canary.arrivals.splice(0));

interface Asked {
  readonly path?: '/full/mcp' | '/canary/mcp' | '/raw/mcp';
  readonly httpMethod?: string;
  /** Over the right ones; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
}

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly message: {
    id?: unknown;
    result?: Record<string, unknown>;
    error?: { code: number; data?: unknown };
  };
}

function fetchRaw({ path = '/full/mcp', httpMethod = 'POST', headers = {}, body }: Asked): Promise<Response> {
  const all = {
    accept: 'application/json, text/event-stream',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    authorization: `Bearer ${tokens.get(path)}`,
    ...headers,
  };
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return fetch(product.url + path, {
    method: httpMethod,
    headers: given,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function ask(asked: Asked): Promise<Answered> {
  const response = await fetchRaw(asked);
  const text = await response.text();
  const data = text.split('\n').findLast((line) => line.startsWith('data: {'));
  const json = data === undefined ? text : data.slice('data: '.length);
  return {
    status: response.status,
    headers: response.headers,
    text,
    message: json.startsWith('{') ? (JSON.parse(json) as Answered['message']) : {},
  };
}

type Modern = Asked & { readonly params?: Record<string, unknown>; readonly meta?: Record<string, unknown> };

function modernRequest(method: string, { params = {}, meta = envelope, headers, ...rest }: Modern): Asked {
  const name = [params['name'], params['uri']].find((each) => typeof each === 'string');
  return {
    ...rest,
    headers: {
      'mcp-protocol-version': version,
      'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': name }),
      ...headers,
    },
    body: { jsonrpc: '2.0', id: 7, method, params: { ...params, _meta: meta } },
  };
}

/** @throws when the stream ends before. */
async function readUntil(
  reader: ReadableStreamDefaultReader<string> | undefined,
  wanted: string,
): Promise<string> {
  let text = '';
  while (!text.includes(wanted)) {
    const part = await reader?.read();
    if (part?.done !== false) throw new Error(`the stream ended without ${wanted}: ${text}`);
    text += part.value;
  }
  return text;
}

const modern = (method: string, options: Modern = {}) => ask(modernRequest(method, options));
const legacy = (body: unknown, headers: Record<string, string | undefined> = {}) =>
  ask({ headers: { 'mcp-protocol-version': '2025-11-25', ...headers }, body });

function expectRefusal({ status, message }: Answered, code: number, httpStatus = 400): void {
  expect({ status, id: message.id, code: message.error?.code }).toEqual({ status: httpStatus, id: 7, code });
}

const call = (name: string) => ({ params: { name, arguments: {} } });

test('T1: one endpoint takes a request or a notification by POST, and answers in JSON or as an event stream', async () => {
  const plain = await modern('tools/call', call('test_simple_text'));
  expect([plain.status, plain.headers.get('content-type')]).toEqual([200, 'application/json']);
  const meta = { ...envelope, progressToken: 'p' };
  const streamed = await modern('tools/call', { ...call('test_tool_with_progress'), meta });
  expect([streamed.status, streamed.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  const notification = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
  const noted = await ask({ headers: { 'mcp-protocol-version': version }, body: notification });
  expect([noted.status, noted.text]).toEqual([202, '']);
  const batch = await ask({ body: [modernRequest('tools/list', {}).body] });
  expect([batch.status, batch.message.error?.code]).toEqual([400, jsonRpcCodes.invalidRequest]);
});

test('T2: a page of a foreign origin is 403, whatever token it has', async () => {
  for (const origin of [
    'https://evil.example',
    'http://localhost.evil.example',
    'null',
    'http://localhost:1@evil',
  ])
    expect((await modern('tools/list', { headers: { origin } })).status, origin).toBe(403);
  expect((await modern('tools/list', { headers: { origin: 'http://localhost:6274' } })).status).toBe(200);
});

test('T3: the version in the header is the version in the body', async () => {
  expectRefusal(await modern('tools/list', { headers: { 'mcp-protocol-version': '2099-01-01' } }), -32_020);
  expectRefusal(await modern('tools/list', { headers: { 'mcp-protocol-version': '2025-11-25' } }), -32_020);
  expectRefusal(await modern('tools/list', { headers: { 'mcp-protocol-version': undefined } }), -32_020);
  expectRefusal(await modern('tools/list', { meta: { ...envelope, [versionKey]: '2099-01-01' } }), -32_020);
});

test('T4: method and name in the headers are those in the body, or the request goes nowhere', async () => {
  const at = { path: '/canary/mcp' } as const;
  const toSimple = { ...at, ...call('test_simple_text') };
  for (const headers of [
    { 'mcp-method': 'tools/list' },
    { 'mcp-method': 'TOOLS/CALL' },
    { 'mcp-method': undefined },
    { 'mcp-name': 'test_image_content' },
    { 'mcp-name': 'TEST_SIMPLE_TEXT' },
    { 'mcp-name': undefined },
    { 'mcp-name': 'test_simple_text\u00e9' },
  ])
    expectRefusal(await modern('tools/call', { ...toSimple, headers }), -32_020);
  const uri = { params: { uri: 'test://static-text' }, headers: { 'mcp-name': 'test://watched-resource' } };
  expectRefusal(await modern('resources/read', { ...at, ...uri }), -32_020);
  const prompt = {
    params: { name: 'test_simple_prompt' },
    headers: { 'mcp-name': 'test_prompt_with_image' },
  };
  expectRefusal(await modern('prompts/get', { ...at, ...prompt }), -32_020);
  expect(canary.arrivals).toHaveLength(0);
});

test('T5: names in base64 are decoded before they are compared; header names know no case, values do', async () => {
  const encoded = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`;
  const named = (value: string) =>
    modern('tools/call', { ...call('test_simple_text'), headers: { 'mcp-name': value } });
  expect((await named(encoded('test_simple_text'))).status).toBe(200);
  expect((await named('  test_simple_text ')).status).toBe(200);
  expectRefusal(await named(encoded('test_image_content')), -32_020);
  expectRefusal(await named('=?base64?dGVzdF9zaW1wbGVfdGV4dA?='), -32_020);
  expectRefusal(await named('=?base64?%%%%?='), -32_020);
  const { headers, body } = modernRequest('tools/call', call('test_simple_text'));
  const loud = Object.entries(headers ?? {}).flatMap(([name, value]) => [name.toUpperCase(), value ?? '']);
  const auth = ['AUTHORIZATION', `Bearer ${tokens.get('/full/mcp')}`, 'CONTENT-TYPE', 'application/json'];
  const accept = ['Accept', 'application/json, text/event-stream'];
  const sent = {
    method: 'POST',
    path: '/full/mcp',
    headers: [...loud, ...auth, ...accept],
    body: JSON.stringify(body),
  };
  expect((await send(product.url, sent)).status).toBe(200);
});

test('T6: parameters in headers that nobody here knows arrive as they were sent, odd ones too', async () => {
  const given = {
    'mcp-param-region': 'eu',
    'mcp-param-x': '=?base64?w6Q=?=',
    'mcp-param-bad': '=?base64?!!?=',
  };
  expect((await modern('ping', { path: '/canary/mcp', headers: given })).status).toBe(200);
  for (const [name, value] of Object.entries(given))
    expect(headerValues(canary.arrivals[0], name)).toEqual([value]);
  // Those that the backend knows it judges itself, and its answer comes through.
  const region = { params: { name: 'test_mirrored_header', arguments: { region: 'eu' } } };
  const same = await modern('tools/call', { ...region, headers: { 'mcp-param-region': 'eu' } });
  expect(same.status).toBe(200);
  expectRefusal(await modern('tools/call', { ...region, headers: { 'mcp-param-region': 'us' } }), -32_020);
  expectRefusal(await modern('tools/call', region), -32_020);
});

const context = { resourceMetadataUrl: 'https://mcp.contoso.test/x', scopes: [] };
const ours: readonly Refusal[] = [
  { kind: 'no_token' },
  { kind: 'bad_token' },
  { kind: 'wrong_method' },
  { kind: 'wrong_media_type' },
  { kind: 'body_too_large' },
  { kind: 'body_too_slow' },
  { kind: 'unknown_session', id: 7 },
  {
    kind: 'bad_message',
    fault: { kind: 'unreadable', code: jsonRpcCodes.parseError, message: 'x', id: null },
  },
];
const backends = (['unreachable', 'timeout', 'credential_refused', 'unusable_answer'] as const).map(
  (kind): Refusal => ({ kind, id: 7 }),
);

test('T7 T15: what the gateway refuses by itself has a JSON-RPC error: it looks like no older server', () => {
  for (const refusal of ours) {
    const { status, body } = answerRefusal(refusal, context);
    expect(Math.floor(status / 100), refusal.kind).toBe(4);
    expect(body, refusal.kind).toMatchObject({
      jsonrpc: '2.0',
      error: { message: expect.any(String) as string },
    });
  }
  for (const refusal of backends) {
    const { status, body } = answerRefusal(refusal, context);
    // A client takes a 4xx for a hint about the era, and a 5xx for what it is.
    expect(Math.floor(status / 100), refusal.kind).toBe(5);
    expect(body, refusal.kind).toMatchObject({ jsonrpc: '2.0', id: 7 });
  }
});

test('T8 T9: policy judges the body alone, whatever the headers say and in whichever era', async () => {
  const denied = await modern('tools/call', call('test_image_content'));
  expectRefusal(denied, 403, 403);
  // No version, or an older one: then the headers are not to be trusted at all, and nobody does.
  const body = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'test_image_content' } };
  for (const headers of [
    { 'mcp-method': 'tools/list' },
    { 'mcp-method': 'tools/call', 'mcp-name': 'test_simple_text' },
    { 'mcp-method': 'ping', 'mcp-protocol-version': undefined },
  ])
    expectRefusal(await legacy(body, headers), 403, 403);
  // A newer one above a body that names none.
  expectRefusal(await legacy(body, { 'mcp-protocol-version': version, 'mcp-method': 'ping' }), -32_602);
});

test('T9: an oversized header is refused before it is decoded', async () => {
  const long = `=?base64?${Buffer.from('x'.repeat(9000)).toString('base64')}?=`;
  const named = { ...call('x'.repeat(9000)), path: '/canary/mcp' } as const;
  expectRefusal(await modern('tools/call', { ...named, headers: { 'mcp-name': long } }), -32_020);
  expect(canary.arrivals).toHaveLength(0);
});

test("T10: a backend's refusals come through: version, envelope, capability, method", async () => {
  const strange = { ...envelope, [versionKey]: '2099-01-01' };
  const unsupported = await modern('tools/list', {
    meta: strange,
    headers: { 'mcp-protocol-version': '2099-01-01' },
  });
  expectRefusal(unsupported, -32_022);
  expect(unsupported.message.error?.data).toEqual({ supported: [version], requested: '2099-01-01' });
  const { [`${prefix}clientCapabilities`]: _left, ...partial } = envelope;
  expectRefusal(await modern('tools/list', { meta: partial }), -32_602);
  expectRefusal(await modern('tools/call', call('test_missing_capability')), -32_021);
  expectRefusal(await modern('test/unknown'), -32_601, 404);
});

test('T11: event streams say that nobody may buffer them, pass event by event, and end on both sides at once', async () => {
  const asked = modernRequest(streamMethod, { path: '/raw/mcp' });
  const response = await fetchRaw(asked);
  expect(response.headers.get('x-accel-buffering')).toBe('no');
  expect(response.headers.get('content-length')).toBeNull();
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  await readUntil(reader, 'data: ');
  expect(raw.streaming()).toBe(1);
  await reader?.cancel();
  await expect.poll(raw.streaming).toBe(0);
});

test('T12: a long-lived POST is acknowledged first, then tells of each change that was asked for', async () => {
  const response = await fetchRaw(
    modernRequest('subscriptions/listen', { params: { notifications: { toolsListChanged: true } } }),
  );
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const methods: string[] = [];
  const readOne = async () => {
    const { value = '' } = (await reader?.read()) ?? {};
    for (const line of value.split('\n').filter((each) => each.startsWith('data: ')))
      methods.push((JSON.parse(line.slice('data: '.length)) as { method: string }).method);
  };
  await readOne();
  for (let change = 0; change < 2; change += 1) {
    await modern('tools/call', call('test_trigger_prompt_change'));
    await modern('tools/call', call('test_trigger_tool_change'));
    await readOne();
  }
  const changed = 'notifications/tools/list_changed';
  expect(methods).toEqual(['notifications/subscriptions/acknowledged', changed, changed]);
  await reader?.cancel();
});

test('T13: sessions and resumption do not exist in the modern era: their headers neither arrive nor come back', async () => {
  const headers = { 'mcp-session-id': 'somebody-elses', 'last-event-id': '1' };
  expect((await modern('ping', { path: '/canary/mcp', headers })).status).toBe(200);
  expect(headerValues(canary.arrivals[0], 'mcp-session-id')).toEqual([]);
  expect(headerValues(canary.arrivals[0], 'last-event-id')).toEqual([]);
  const opening = await modern('initialize', { path: '/canary/mcp' });
  expect([opening.status, opening.headers.get('mcp-session-id')]).toEqual([200, null]);
  for (const method of ['initialize', 'ping', 'logging/setLevel', 'resources/subscribe'])
    expectRefusal(await modern(method), -32_601, 404);
});

test('T14: the gateway sends no code that MCP reserves and does not define, and its own are outside the range', () => {
  const named = Object.entries(jsonRpcCodes);
  const sent = [...ours, ...backends].flatMap((refusal) =>
    [answerRefusal(refusal, context).body].flat().map(({ error }) => [refusal.kind, error.code] as const),
  );
  const defined = [-32_700, -32_600, -32_601, -32_602, -32_603, -32_020, -32_021, -32_022];
  for (const [name, code] of [...named, ...sent]) {
    const isReserved = code >= -32_768 && code <= -32_000;
    expect(!isReserved || defined.includes(code), `${name}: ${code}`).toBe(true);
  }
});

test('T16: in the older era sessions, event streams and their resumption work as without the gateway', async () => {
  const opening = await legacy({
    jsonrpc: '2.0',
    id: 7,
    method: 'initialize',
    params: {
      protocolVersion: '2025-11-25',
      capabilities: { elicitation: {} },
      clientInfo: { name: 'x', version: '1' },
    },
  });
  const session = { 'mcp-session-id': opening.headers.get('mcp-session-id') ?? '' };
  expect(session['mcp-session-id']).toMatch(/^[\x21-\x7e]+$/);
  const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
  expect((await legacy(initialized, session)).status).toBe(202);

  // The server asks on the stream of the call, and takes the answer by another POST.
  const asking = {
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: { name: 'test_elicitation', arguments: { message: 'Who?' } },
  };
  const response = await fetchRaw({
    headers: { 'mcp-protocol-version': '2025-11-25', ...session },
    body: asking,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = await readUntil(reader, 'elicitation/create');
  const question = JSON.parse(
    text
      .split('\n')
      .findLast((line) => line.startsWith('data: {'))
      ?.slice(6) ?? '',
  ) as { id: number };
  const answer = { action: 'accept', content: { username: 'a', email: 'a@b.example' } };
  expect((await legacy({ jsonrpc: '2.0', id: question.id, result: answer }, session)).status).toBe(202);
  text += await readUntil(reader, 'action=accept');

  // The stream of this call ends early; what it owes comes to whoever resumes it.
  const cut = await legacy(
    { jsonrpc: '2.0', id: 8, method: 'tools/call', params: { name: 'test_reconnection', arguments: {} } },
    session,
  );
  const [, lastId = ''] = /^id: (.*)$/m.exec(cut.text) ?? [];
  expect(cut.text).toMatch(/^retry: 100$/m);
  expect(cut.text).not.toContain('came back');
  const resumed = await fetchRaw({
    httpMethod: 'GET',
    headers: {
      accept: 'text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      'last-event-id': lastId,
      ...session,
    },
  });
  const rest = resumed.body?.pipeThrough(new TextDecoderStream()).getReader();
  await readUntil(rest, 'came back');
  await rest?.cancel();

  expect((await ask({ httpMethod: 'DELETE', headers: session })).status).toBe(200);
  const after = await legacy({ jsonrpc: '2.0', id: 7, method: 'ping' }, session);
  expectRefusal(after, 404, 404);
});
