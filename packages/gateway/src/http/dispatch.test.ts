import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { StoreUnavailable } from '../store/driver.ts';
import { createClientIp } from './client-ip.ts';
import { createRouter, type RouterOptions } from './dispatch.ts';
import type { Route } from './exchange.ts';
import { createRateLimiter, type RateLimits } from './rate-limit.ts';
import { sendHtml, sendJson, sendRedirect } from './respond.ts';
import { html } from './pages/html.ts';
import { closeGracefully, createHttpServer, listen } from './server.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

const generous = { requests: 1000, windowSeconds: 60 };
const limits: RateLimits = {
  register: { requests: 2, windowSeconds: 60 },
  authorize: { requests: 2, windowSeconds: 60 },
  token: generous,
  consent: generous,
};

function row(methods: string[], path: string, rest: Partial<Route> = {}): Route {
  return {
    methods,
    path,
    cors: 'none',
    maxBodyBytes: 1000,
    handler: (exchange) =>
      sendJson(exchange, 200, { path, url: exchange.url.href, ip: exchange.ip, id: exchange.id }),
    ...rest,
  };
}

const routes: Route[] = [
  row(['GET'], '/page', { handler: (exchange) => sendHtml(exchange, 200, html`<p>hello</p>`) }),
  row(['GET'], '/authorize', { limit: 'authorize' }),
  row(['GET'], '/assets/*'),
  row(['GET'], '/assets/deep/*'),
  row(['GET'], '/meta', { cors: 'oauth' }),
  row(['POST'], '/register', { cors: 'oauth', limit: 'register' }),
  row(['POST'], '/token', { cors: 'oauth' }),
  row(['*'], '/snippets/mcp', {
    cors: 'mcp',
    handler: (exchange) => {
      exchange.res.setHeader('WWW-Authenticate', 'Bearer');
      sendJson(exchange, 401, {});
    },
  }),
  row(['GET'], '/healthz'),
  row(['GET'], '/boom', {
    handler: (exchange) => {
      exchange.res.setHeader('Set-Cookie', 'half=done');
      throw new Error('the password is hunter2');
    },
  }),
  row(['GET'], '/store', {
    handler: async () => {
      throw new StoreUnavailable('redis://10.0.0.9 refused');
    },
  }),
  row(['GET'], '/half', {
    handler: (exchange) => {
      exchange.res.write('half an');
      throw new Error('late');
    },
  }),
  row(['GET'], '/away', {
    handler: (exchange) => sendRedirect(exchange, exchange.url.searchParams.get('to') ?? ''),
  }),
];

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

async function open(overrides: Partial<RouterOptions> = {}) {
  const router = createRouter(routes, {
    publicUrl: 'https://mcp.contoso.com',
    clientIp: createClientIp(['127.0.0.1']),
    limiter: createRateLimiter(limits, { nowMs: () => 0 }),
    allowedOrigins: 'any',
    log: pino({ enabled: false }),
    random: randomBytes,
    ...overrides,
  });
  const server = createHttpServer(router, { requestTimeoutMs: 5000 });
  const { port } = await listen(server, '127.0.0.1', 0);
  closers.push(() => closeGracefully(server, 100));
  const { host } = new URL(overrides.publicUrl ?? 'https://mcp.contoso.com');
  return (method: string, path: string, headers: Record<string, string> = {}) =>
    exchangeRaw({ host: '127.0.0.1', port, method, path, headers: { host, ...headers } });
}

/** Not `fetch`: the tests send targets and `Host` headers that it would put right. */
async function exchangeRaw(options: RequestOptions): Promise<Answer> {
  const [res] = (await once(request(options).end(), 'response')) as [IncomingMessage];
  return { status: res.statusCode ?? 0, headers: res.headers, text: await text(res) };
}

test('the URL of an exchange comes from publicUrl, whatever Host and X-Forwarded-Host say', async () => {
  const send = await open();
  const answer = await send('GET', '/assets/a?b=c%2Fd', {
    host: 'localhost:1',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-for': '203.0.113.7',
  });
  expect(JSON.parse(answer.text)).toEqual({
    path: '/assets/*',
    url: 'https://mcp.contoso.com/assets/a?b=c%2Fd',
    ip: '203.0.113.7',
    id: answer.headers['x-request-id'],
  });
});

test.each([
  ['GET', '/assets/deep/x', 200],
  ['HEAD', '/assets/x', 200],
  ['GET', '/assets', 404],
  ['GET', '/page/', 404],
  ['GET', '/PAGE', 404],
  ['POST', '/page', 405],
  ['GET', '/token', 405],
  ['BREW', '/snippets/mcp', 400],
  ['PUT', '/snippets/mcp', 401],
])('%s %s is %i', async (method, path, status) => {
  const send = await open();
  const answer = await send(method, path);
  expect(answer.status).toBe(status);
  if (status === 405) expect(answer.headers.allow).toMatch(/^(GET, HEAD|POST), OPTIONS$/);
});

test.each([
  '/a/../page',
  '/assets/%2e%2e/page',
  '/assets/.%2E/x',
  '/./page',
  '//evil.example/page',
  '/assets//x',
  '/assets/a%2fb',
  '/assets/a%5Cb',
  '/assets/a\\b',
  '/assets/a%00',
  '/assets/%zz',
  '/page#x',
  'http://evil.example/page',
  '*',
  'page',
])('request target %s is refused with 400', async (target) => {
  const send = await open();
  expect((await send('GET', target)).status).toBe(400);
});

test('A35: preflights name the real methods and the MCP headers, before any 401', async () => {
  const send = await open();
  const origin = 'https://inspector.example';
  const mcp = await send('OPTIONS', '/snippets/mcp', {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization, mcp-param-region, x-evil, Mcp-Param-A b',
  });
  expect(mcp.status).toBe(204);
  expect(mcp.headers['access-control-allow-origin']).toBe('*');
  expect(mcp.headers['access-control-allow-methods']).toBe('GET, POST, DELETE, HEAD, OPTIONS');
  const allowed = String(mcp.headers['access-control-allow-headers']).split(', ');
  expect(allowed).toEqual(
    expect.arrayContaining([
      'authorization',
      'content-type',
      'accept',
      'mcp-protocol-version',
      'mcp-session-id',
      'mcp-method',
      'mcp-name',
      'last-event-id',
      'mcp-param-region',
    ]),
  );
  expect(allowed.some((name) => name.includes('evil') || name.includes(' '))).toBe(false);

  for (const [path, methods] of [
    ['/register', 'POST, OPTIONS'],
    ['/token', 'POST, OPTIONS'],
    ['/meta', 'GET, HEAD, OPTIONS'],
  ] as const) {
    const answer = await send('OPTIONS', path, { origin, 'access-control-request-method': 'POST' });
    expect([answer.status, answer.headers['access-control-allow-methods']]).toEqual([204, methods]);
    expect(answer.headers['access-control-allow-headers']).toMatch(
      /authorization, content-type, mcp-protocol-version/,
    );
  }
  const page = await send('OPTIONS', '/page', { origin, 'access-control-request-method': 'GET' });
  expect([page.status, page.headers['access-control-allow-origin']]).toEqual([204, undefined]);
});

test('A35: a 401 of an MCP endpoint exposes its challenge to pages', async () => {
  const send = await open();
  const answer = await send('POST', '/snippets/mcp', { origin: 'https://inspector.example' });
  expect(answer.status).toBe(401);
  expect(answer.headers['access-control-allow-origin']).toBe('*');
  expect(answer.headers['access-control-expose-headers']).toMatch(
    /WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version/,
  );
});

test('A30 A35: the row limit answers 429 with Retry-After, readable from a page, per address', async () => {
  const send = await open();
  const from = (ip: string) => send('POST', '/register', { 'x-forwarded-for': ip });
  expect([(await from('203.0.113.1')).status, (await from('203.0.113.1')).status]).toEqual([200, 200]);
  const refused = await from('203.0.113.1');
  expect(refused.status).toBe(429);
  expect(refused.headers['retry-after']).toBe('30');
  expect(refused.headers['access-control-allow-origin']).toBe('*');
  expect(JSON.parse(refused.text)).toMatchObject({ error: 'temporarily_unavailable' });
  expect((await from('203.0.113.2')).status).toBe(200);
  expect((await send('GET', '/authorize', { 'x-forwarded-for': '203.0.113.1' })).status).toBe(200);
});

test.each([
  ['https://mcp.contoso.com', 'evil.example', '/meta', 403],
  ['https://mcp.contoso.com', 'mcp.contoso.com.evil.example', '/meta', 403],
  ['https://mcp.contoso.com', 'evil.example@mcp.contoso.com', '/meta', 403],
  ['https://mcp.contoso.com', 'MCP.contoso.com:443', '/meta', 200],
  ['https://mcp.contoso.com', 'gateway:8080', '/meta', 200],
  ['https://mcp.contoso.com', '10.0.0.7:8080', '/healthz', 200],
  ['http://127.0.0.1:8080', 'evil.example:8080', '/snippets/mcp', 403],
  ['http://127.0.0.1:8080', 'localhost:8080', '/snippets/mcp', 401],
  ['http://localhost:8080', '[::1]:8080', '/snippets/mcp', 401],
])('D32 CVE-2025-66414: at %s, Host %s on %s is %i', async (publicUrl, host, path, status) => {
  const send = await open({ publicUrl, hostAliases: ['gateway:8080'] });
  expect((await send('GET', path, { host })).status).toBe(status);
});

test.each([
  ['http://localhost:8080', 'any', 'http://evil.example:8080', 'POST', '/snippets/mcp', 403],
  ['http://localhost:8080', 'any', 'http://evil.example', 'POST', '/token', 403],
  ['http://localhost:8080', 'any', 'null', 'POST', '/snippets/mcp', 403],
  ['http://localhost:8080', 'any', 'http://localhost.evil.example', 'POST', '/snippets/mcp', 403],
  ['http://localhost:8080', 'any', 'http://localhost:6274', 'POST', '/snippets/mcp', 401],
  ['http://localhost:8080', ['https://app.example'], 'https://app.example', 'POST', '/token', 200],
  ['http://localhost:8080', 'any', 'http://evil.example', 'GET', '/meta', 200],
  ['https://mcp.contoso.com', 'any', 'https://claude.ai', 'POST', '/snippets/mcp', 401],
  ['https://mcp.contoso.com', 'any', 'vscode-webview://abc', 'POST', '/snippets/mcp', 401],
  ['https://mcp.contoso.com', 'any', 'not an origin', 'POST', '/snippets/mcp', 403],
  ['https://mcp.contoso.com', [], 'https://claude.ai', 'POST', '/snippets/mcp', 403],
  ['https://mcp.contoso.com', [], 'https://mcp.contoso.com', 'POST', '/snippets/mcp', 401],
] as const)(
  'D32 CVE-2025-66414: at %s (%j), Origin %s, %s %s is %i',
  async (publicUrl, allowedOrigins, origin, method, path, status) => {
    const send = await open({ publicUrl, allowedOrigins });
    const answer = await send(method, path, { origin });
    expect(answer.status).toBe(status);
    expect(answer.headers['access-control-allow-origin']).toBe(status === 403 ? undefined : '*');
  },
);

test('a fault is 500 with the request id and nothing of its message or half-made headers', async () => {
  const send = await open();
  const answer = await send('GET', '/boom');
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain('hunter2');
  expect(answer.headers['set-cookie']).toBeUndefined();
  expect(JSON.parse(answer.text)).toMatchObject({
    error: 'server_error',
    request_id: answer.headers['x-request-id'],
  });
  const page = await send('GET', '/boom', { accept: 'text/html' });
  expect(page.status).toBe(500);
  expect(page.text).toContain(String(page.headers['x-request-id']));
  expect(page.text).not.toContain('hunter2');
});

test('a store that does not answer is 503 with Retry-After', async () => {
  const send = await open();
  const answer = await send('GET', '/store');
  expect([answer.status, answer.headers['retry-after']]).toEqual([503, '2']);
  expect(answer.text).not.toContain('redis');
});

test('a fault after half an answer breaks the connection, and the server lives on', async () => {
  const send = await open();
  await expect(send('GET', '/half')).rejects.toThrow();
  expect((await send('GET', '/meta')).status).toBe(200);
});

test('an announced body that is too large is refused unread, and the connection ends', async () => {
  const send = await open();
  const answer = await send('POST', '/token', { 'content-length': '1001' });
  expect([answer.status, answer.headers.connection]).toEqual([413, 'close']);
});

test('D65 D53: pages cannot be framed, and their policy has no form-action', async () => {
  const send = await open();
  const { headers } = await send('GET', '/page');
  expect(headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  expect(headers['content-security-policy']).not.toContain('form-action');
  expect(headers).toMatchObject({
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'referrer-policy': 'same-origin',
  });
});

test.each([
  ['cursor://anysphere.cursor-mcp/oauth/callback?code=1', 303],
  ['http://127.0.0.1:33418/?state=a%2Bb', 303],
  ['javascript:alert(1)', 500],
  ['data:text/html,x', 500],
  ['/relative', 500],
])('redirect to %s gives %i', async (to, status) => {
  const send = await open();
  const answer = await send('GET', `/away?to=${encodeURIComponent(to)}`);
  expect(answer.status).toBe(status);
  if (status === 303) expect(answer.headers.location).toBe(to);
});

test.each([
  [[row(['GET'], 'page')], 'a path starts with /'],
  [[row(['GET'], '/a'), row(['GET'], '/a')], 'GET is there twice'],
])('a contradicting route table is refused at start', (table, message) => {
  const options = { publicUrl: 'https://a.example', allowedOrigins: 'any' } as unknown as RouterOptions;
  expect(() => createRouter(table, options)).toThrow(message);
});
