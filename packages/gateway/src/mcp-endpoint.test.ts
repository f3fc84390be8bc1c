import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { issuer } from './enforce/issued-token.suite.ts';
import { type GatewayStandIn, startGateway } from './mcp-endpoint.suite.ts';
import {
  backendAt,
  type Listening,
  rawRequest,
  readText,
  startServer,
} from './proxy/front-and-back.suite.ts';

const resource = `${issuer}/mcp`;
const rules = {
  enter: { anyRole: ['Snippets.Reader'], scopes: ['snippets.use'] },
  tools: { save: { anyRole: ['Snippets.Writer'] }, share: { scopes: ['snippets.use', 'snippets.share'] } },
};

let back: Listening;
let gateway: GatewayStandIn;
let token: string;
const arrived: { method: string | undefined; headers: IncomingMessage['headers']; body: string }[] = [];

beforeAll(async () => {
  back = await startServer((req, res) => void answer(req, res));
  gateway = await startGateway([
    backendAt(back.url, { path: '/mcp', resource, rules }),
    backendAt(back.url, { name: 'other', path: '/mcp-other', resource: `${resource}-other`, rules }),
  ]);
  token = await gateway.issue(resource);
});

afterAll(async () => {
  await gateway.close();
  await back.close();
});

beforeEach(() => {
  arrived.length = 0;
  gateway.audited.length = 0;
});

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { method, headers } = req;
  const body = await readText(req);
  arrived.push({ method, headers, body });
  const tools = '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"hello"},{"name":"save"}]}}';
  if (body.includes('die')) res.destroy();
  else if (headers['x-test-status'] !== undefined) res.writeHead(Number(headers['x-test-status'])).end();
  else if (method === 'GET')
    res.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${tools}\n\n`);
  else if (body.includes('tools/list'))
    res
      .writeHead(200, { 'content-type': 'application/json' })
      .end(body.startsWith('[') ? `[${tools}]` : tools);
  else res.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}');
}

async function ask(
  options: {
    method?: string;
    path?: string;
    headers?: Record<string, string | string[]>;
    body?: unknown;
  } = {},
) {
  const {
    method = 'POST',
    path = '/mcp',
    headers = {},
    body = { jsonrpc: '2.0', id: 1, method: 'ping' },
  } = options;
  const hasBody = method === 'POST' || method === 'PUT' || method === 'PATCH';
  const sent = await rawRequest(gateway.url + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(hasBody ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
  });
  const text = await readText(sent);
  return { status: sent.statusCode, headers: sent.headers, text, json: () => JSON.parse(text) };
}

const signedIn = () => ({ authorization: `Bearer ${token}` });
const call = (name: string, id: number) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } });

test.each(['POST', 'GET', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'QUERY'])(
  'A12 D2 D55 LiteLLM#40923: %s without a token is 401 with a challenge, and nothing goes upstream',
  async (method) => {
    const { status, headers } = await ask({ method });
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe(
      `Bearer resource_metadata="${issuer}/.well-known/oauth-protected-resource/mcp", scope="snippets.use"`,
    );
    expect(arrived).toEqual([]);
    expect(gateway.audited).toEqual([
      expect.objectContaining({ event: 'access.denied', reason: 'no_token', httpStatus: 401 }),
    ]);
  },
);

test('401 comes before the body is read, and before its size and kind are judged', async () => {
  const refused = await ask({ headers: { 'content-type': 'text/plain' }, body: 'x'.repeat(50_000) });
  expect(refused.status).toBe(401);
  expect(refused.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: 401 } });
});

test('a token in the query or the body is no token', async () => {
  expect((await ask({ path: `/mcp?access_token=${token}` })).status).toBe(401);
  const body = `access_token=${token}`;
  expect((await ask({ headers: { 'content-type': 'application/x-www-form-urlencoded' }, body })).status).toBe(
    401,
  );
});

test('A13 A49 D17 D41: unknown, tampered, expired, revoked and foreign tokens get the same 401', async () => {
  const revoked = await gateway.issue(resource, { sid: 'session-revoked' });
  gateway.revoked.add('session-revoked');
  const tokens = [
    'unknown',
    `${token.slice(0, -4)}AAAA`,
    token.slice(0, -8),
    `${token}.x`,
    await gateway.issue(resource, { exp: 1_000_000_000 }),
    await gateway.issue(`${resource}-other`),
    revoked,
  ];
  const seen = new Set<string>();
  for (const each of tokens) {
    const { status, headers, text } = await ask({ headers: { authorization: `Bearer ${each}` } });
    const { date: _date, 'x-request-id': _id, ...rest } = headers;
    seen.add(JSON.stringify([status, rest, text]));
  }
  expect([...seen]).toHaveLength(1);
  expect([...seen][0]).toContain('invalid_token');
  expect(
    gateway.audited.map(({ reason }) => reason),
    'the audit knows the difference',
  ).toEqual([
    'malformed',
    'forged',
    expect.stringMatching(/forged|malformed/),
    'malformed',
    'expired',
    'wrong_audience',
    'revoked',
  ]);
  expect(arrived).toEqual([]);
});

test.each(['/mcp-other', '/mcp/', '/mcp/x', '/MCP'])(
  'CVE-2025-69196: a token for /mcp opens nothing at %s',
  async (path) => {
    const { status } = await ask({ path, headers: signedIn() });
    expect([401, 404]).toContain(status);
    expect(arrived).toEqual([]);
  },
);

test('two bearer headers are refused, whichever of them is good', async () => {
  const { status } = await ask({ headers: { authorization: [`Bearer ${token}`, 'Bearer x'] } });
  expect(status).toBe(401);
});

test.each(['PUT', 'PATCH', 'QUERY', 'HEAD', 'PROPFIND'])(
  'Kong 3.13: %s with a token is 405 and goes nowhere',
  async (method) => {
    const { status, headers } = await ask({ method, headers: signedIn() });
    expect([status, headers.allow]).toEqual([405, 'POST, GET, DELETE']);
    expect(arrived).toEqual([]);
  },
);

test('A51 A52 D27: an allowed call reaches the backend byte for byte, without the token', async () => {
  const body =
    '{ "jsonrpc":"2.0", "id":1, "method":"tools/call", "params":{"name":"hello","arguments":{"n":1.0}} }';
  const { status } = await ask({ headers: signedIn(), body });
  expect(status).toBe(200);
  expect(arrived[0]?.body).toBe(body);
  expect(JSON.stringify(arrived)).not.toContain(token);
  expect(gateway.audited).toEqual([
    {
      event: 'mcp.call',
      outcome: 'success',
      correlationId: expect.any(String),
      backend: 'snippets',
      ip: '192.0.2.1',
      tenantId: 'tenant-1',
      objectId: 'anna',
      clientId: 'client-1',
      sessionId: 'session-1',
      method: 'tools/call',
      target: 'hello',
      httpStatus: 200,
      durationMs: expect.any(Number),
    },
  ]);
});

test('a second round of a modern call arrives as it was sent: its state, and parameters in headers nobody knows', async () => {
  const params = {
    ...modern,
    name: 'hello',
    inputResponses: { a: { action: 'accept' } },
    requestState: '{"role":"Snippets.Writer"}\u00e4',
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }, null, 2);
  const headers = { ...signedIn(), ...modernHeaders, 'Mcp-Name': 'hello', 'Mcp-Param-Unheard-Of': 'EU' };
  expect((await ask({ headers, body })).status).toBe(200);
  expect(arrived[0]?.body).toBe(body);
  expect(arrived[0]?.headers['mcp-param-unheard-of']).toBe('EU');
});

test.each(['GET', 'DELETE'])(
  '%s of the legacy era passes for who may enter, and only for them',
  async (method) => {
    expect((await ask({ method, headers: signedIn() })).status).toBe(200);
    const outsider = await gateway.issue(resource, { roles: [] });
    expect((await ask({ method, headers: { authorization: `Bearer ${outsider}` } })).status).toBe(403);
    expect(arrived).toHaveLength(1);
  },
);

test('A24 CVE-2026-8719: a call without the role is refused with its name, and goes nowhere', async () => {
  const { status, headers, json } = await ask({ headers: signedIn(), body: call('save', 9) });
  expect(status).toBe(403);
  expect(headers['www-authenticate']).toBeUndefined();
  expect(json()).toMatchObject({
    id: 9,
    error: { message: 'Access denied: tool save needs the role Snippets.Writer' },
  });
  expect(arrived).toEqual([]);
  expect(gateway.audited).toEqual([
    expect.objectContaining({
      event: 'access.denied',
      outcome: 'denied',
      reason: 'missing_role',
      target: 'save',
      objectId: 'anna',
    }),
  ]);
});

const listing = { jsonrpc: '2.0', id: 1, method: 'tools/list' };

test.each<[string, { method?: string; body?: unknown }]>([
  ['tools/list', { body: listing }],
  ['tools/list in a batch', { body: [listing] }],
  ['a GET that replays the list', { method: 'GET' }],
])('A24 Obot: the answer to %s hides what the person may not call', async (_case, options) => {
  const { text } = await ask({ headers: signedIn(), ...options });
  expect(text).toContain('hello');
  expect(text).not.toContain('save');
  const writer = await gateway.issue(resource, { roles: ['Snippets.Reader', 'Snippets.Writer'] });
  expect((await ask({ headers: { authorization: `Bearer ${writer}` }, ...options })).text).toContain('save');
});

test('A24: a rule for a tool that the backend does not have is warned about, once', async () => {
  for (let times = 0; times < 3; times += 1) await ask({ headers: signedIn(), body: listing });
  const told = gateway.warned.filter((line) => line.includes('rules name tools'));
  expect(told).toHaveLength(1);
  expect(JSON.parse(told[0] ?? '')).toMatchObject({ tools: ['share'] });
});

test('A24: who may not enter is refused at initialize', async () => {
  const outsider = await gateway.issue(resource, { roles: [] });
  const body = { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} };
  const { status, text } = await ask({ headers: { authorization: `Bearer ${outsider}` }, body });
  expect([status, text]).toEqual([403, expect.stringContaining('Snippets.Reader')]);
});

test('A14: a missing scope is a step-up challenge', async () => {
  const { status, headers } = await ask({ headers: signedIn(), body: call('share', 1) });
  expect(status).toBe(403);
  expect(headers['www-authenticate']).toMatch(
    /error="insufficient_scope".*scope="snippets.use snippets.share"/,
  );
});

test('a batch with one denied call is refused whole', async () => {
  const { status, json } = await ask({ headers: signedIn(), body: [call('hello', 1), call('save', 2)] });
  expect(status).toBe(403);
  expect(json().map(({ id }: { id: number }) => id)).toEqual([1, 2]);
  expect(arrived).toEqual([]);
});

test('an allowed batch is one record per message', async () => {
  const notice = { jsonrpc: '2.0', method: 'notifications/initialized' };
  expect((await ask({ headers: signedIn(), body: [call('hello', 1), notice] })).status).toBe(200);
  expect(gateway.audited.map(({ method }) => method)).toEqual(['tools/call', 'notifications/initialized']);
});

const modern = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } };
const modernHeaders = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call' };

test.each<[string, Record<string, string | string[]>, unknown, number, number]>([
  ['malformed JSON (D16)', {}, '{"jsonrpc":', 400, -32700],
  ['an empty batch', {}, [], 400, -32600],
  ['no JSON-RPC', {}, { hello: 1 }, 400, -32600],
  [
    'a key twice',
    {},
    '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"save"}}',
    400,
    -32600,
  ],
  [
    'a key twice in another case',
    {},
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hello","Name":"save"}}',
    400,
    -32600,
  ],
  [
    'a name in another case',
    {},
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"save"}}',
    400,
    -32602,
  ],
  [
    'a call disguised as a response',
    {},
    '{"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call","params":{"name":"save"}}',
    400,
    -32600,
  ],
  [
    'another name in the header',
    { ...modernHeaders, 'Mcp-Name': 'hello' },
    { ...call('save', 1), params: { name: 'save', ...modern } },
    400,
    -32020,
  ],
  [
    'two names in the header',
    { ...modernHeaders, 'Mcp-Name': ['save', 'hello'] },
    { ...call('save', 1), params: { name: 'save', ...modern } },
    400,
    -32020,
  ],
  ['another media type', { 'content-type': 'text/plain' }, '{}', 415, 415],
  ['a JSON-like media type', { 'content-type': 'application/jsonx' }, '{}', 415, 415],
  ['a compressed body', { 'content-encoding': 'gzip' }, '{}', 415, 415],
  ['too much', {}, 'x'.repeat(20_000), 413, 413],
])(
  'A22 D16: %s is refused with a JSON-RPC error, and the gateway goes on',
  async (_case, headers, body, status, code) => {
    const refused = await ask({ headers: { ...signedIn(), ...headers }, body });
    expect(refused.status).toBe(status);
    expect(refused.json()).toMatchObject({ jsonrpc: '2.0', error: { code } });
    expect(arrived).toEqual([]);
    expect((await ask({ headers: signedIn() })).status).toBe(200);
  },
);

test('a backend that fails is 502 with the request’s id', async () => {
  const { status, json } = await ask({ headers: signedIn(), body: call('die', 42) });
  expect(status).toBe(502);
  expect(json()).toMatchObject({ id: 42, error: { code: 502 } });
  expect(gateway.audited).toEqual([
    expect.objectContaining({ outcome: 'error', reason: 'unreachable', httpStatus: 502 }),
  ]);
});

test.each([
  ['GET', 405, 'success'],
  ['DELETE', 405, 'success'],
  ['POST', 405, 'error'],
  ['GET', 400, 'error'],
  ['DELETE', 404, 'error'],
])(
  'A25: what a backend answers is recorded as what it means: %s %i is %s',
  async (method, status, outcome) => {
    const headers = { ...signedIn(), 'x-test-status': String(status) };
    expect((await ask({ method, headers })).status).toBe(status);
    expect(gateway.audited).toEqual([
      expect.objectContaining({ event: 'mcp.call', outcome, httpStatus: status }),
    ]);
  },
);

test('A25 D43: no audit record holds a token', async () => {
  await ask({ headers: signedIn(), body: call('hello', 1) });
  await ask({ headers: { authorization: `Bearer ${token}x` } });
  expect(JSON.stringify(gateway.audited)).not.toContain(token.slice(0, 40));
});
