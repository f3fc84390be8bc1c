/**
 * Stops: the check that is made on the main path and forgotten on a second one. Every address × every method × every
 * kind of wrong credential is asked, and a canary behind the gateway tells what got through.
 */
import { createRoutes, type RouteHandlers } from '@valetkey/gateway/routes';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { send, sendBytes, statusOf } from '../support/raw-http.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'] as const;
const mcpPath = '/snippets/mcp';
const writersPath = '/writers/mcp';

let product: Product;
let canary: CanaryBackend;
/** Credentials by name, as headers; the query is for the token that stands in it. */
const wrong = new Map<string, { headers: string[]; query?: string }>();
const good: string[] = [];
const withoutRole: string[] = [];

const backend = (path: string, role: string) => ({
  title: path,
  path,
  upstream: canary.url,
  scopes: { 'snippets.use': 'Use it' },
  enter: { anyRole: [role] },
});

beforeAll(async () => {
  canary = await startCanaryBackend();
  product = await startProduct({
    backends: () => ({
      snippets: backend(mcpPath, 'Snippets.Reader'),
      writers: backend(writersPath, 'Snippets.Writer'),
    }),
  });
  const { reader, writer } = product.people;
  const at = (path: string) => ({ resource: product.url + path });
  const expired = await obtainTokens(product, reader, at(mcpPath));
  const token = (await obtainTokens(product, reader, at(mcpPath))).accessToken;
  const elsewhere = (await obtainTokens(product, writer, at(writersPath))).accessToken;
  const revoked = await obtainTokens(product, reader, at(mcpPath));
  await fetch(`${product.url}/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: revoked.clientId, token: revoked.accessToken }),
  });
  good.push('Authorization', `Bearer ${token}`);

  // Signed in as a writer, and then the role was taken away: the token is good, the person may not enter.
  const demoted = await obtainTokens(product, writer, at(writersPath));
  product.emulator.control.setRoles(writer.username, ['Snippets.Reader']);
  const renewed = await fetch(`${product.url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: demoted.clientId,
      refresh_token: demoted.refreshToken,
      resource: product.url + writersPath,
    }),
  });
  withoutRole.push(
    'Authorization',
    `Bearer ${((await renewed.json()) as { access_token: string }).access_token}`,
  );

  const bearer = (value: string) => ({ headers: ['Authorization', `Bearer ${value}`] });
  wrong.set('no token', { headers: [] });
  wrong.set('garbage', bearer('garbage'));
  wrong.set('an empty token', { headers: ['Authorization', 'Bearer '] });
  wrong.set('another scheme', { headers: ['Authorization', `Basic ${token}`] });
  wrong.set('no scheme', { headers: ['Authorization', token] });
  wrong.set('a damaged token', bearer(`${token.slice(0, -2)}AA`));
  wrong.set('a cut token', bearer(token.slice(0, token.length / 2)));
  wrong.set('an expired token', bearer(expired.accessToken));
  wrong.set('a token of another backend', bearer(elsewhere));
  wrong.set('a revoked token', bearer(revoked.accessToken));
  wrong.set('a refresh token', bearer(revoked.refreshToken));
  wrong.set('two Authorization headers', {
    headers: ['Authorization', `Bearer ${token}`, 'Authorization', 'Bearer garbage'],
  });
  wrong.set('the good token twice', {
    headers: ['Authorization', `Bearer ${token}`, 'Authorization', `Bearer ${token}`],
  });
  wrong.set('the token in the query', { headers: [], query: `access_token=${token}` });
  wrong.set('the token in a cookie', { headers: ['Cookie', `access_token=${token}`] });
  wrong.set('the token in another header', {
    headers: ['X-Access-Token', token, 'Proxy-Authorization', `Bearer ${token}`],
  });
  wrong.set('a method override', {
    headers: ['X-HTTP-Method-Override', 'OPTIONS', 'X-Original-URL', '/healthz'],
  });
  wrong.set('headers of a proxy that signs people in', {
    headers: [
      'X-MS-Client-Principal-Id',
      'admin',
      'X-Forwarded-User',
      'admin',
      'X-Valetkey-Identity',
      'admin',
    ],
  });
});
afterAll(async () => {
  await product.close();
  await canary.close();
});

/** The real table of the gateway, with handlers that nobody calls. */
function allRoutes() {
  const never = () => {
    throw new Error('not called');
  };
  const { config } = product;
  const handlers: RouteHandlers = {
    config,
    authority: {
      config,
      resources: config.backends,
      authorizationServer: { serve: never, register: never, submit: never, interactions: {} as never },
      flow: {} as never,
    },
    backends: config.backends.map((each) => ({ config: each, endpoint: never })),
    findObstacle: async () => undefined,
  };
  return createRoutes(handlers);
}

/** What each address answers to the methods it has, without a body: decided here, so that a new route must be added. */
const own: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  '/.well-known/oauth-authorization-server': { GET: 200 },
  '/.well-known/openid-configuration': { GET: 200 },
  '/jwks': { GET: 200 },
  [`/.well-known/oauth-protected-resource${mcpPath}`]: { GET: 200 },
  [`/.well-known/oauth-protected-resource${writersPath}`]: { GET: 200 },
  '/register': { POST: 400 },
  '/token': { POST: 400 },
  '/revoke': { POST: 400 },
  '/authorize': { GET: 400 },
  '/authorize/x': { GET: 400 },
  '/consent/x': { GET: 400, POST: 400 },
  '/auth/callback': { GET: 400 },
  '/favicon.ico': { GET: 200 },
  '/healthz': { GET: 200 },
  '/readyz': { GET: 200 },
};

function expectedStatus(path: string, method: string): number {
  const row = own[path] ?? {};
  if (method === 'OPTIONS') return 204;
  return row[method === 'HEAD' ? 'GET' : method] ?? 405;
}

test('the table of this test names every route of the gateway', () => {
  const paths = new Set(allRoutes().map(({ path }) => path.replace(/\/\*$/, '/x')));
  for (const path of paths) expect([...Object.keys(own), mcpPath, writersPath]).toContain(path);
});

test('A12 A13 A49 CVE-2026-32211: every method of an MCP endpoint is 401 for every wrong credential, and nothing passes', async () => {
  const before = canary.arrivals.length;
  for (const path of [mcpPath, writersPath]) {
    for (const [credential, { headers, query }] of wrong) {
      // The token of the other backend is right there.
      if (credential === 'a token of another backend' && path === writersPath) continue;
      for (const method of methods) {
        product.time.aheadMs = credential === 'an expired token' ? 3_601_000 : 0;
        const answer = await send(product.url, {
          method,
          path: query === undefined ? path : `${path}?${query}`,
          headers,
        });
        const about = `${method} ${path} with ${credential}`;
        expect(answer.status, about).toBe(method === 'OPTIONS' ? 204 : 401);
        if (method === 'OPTIONS') continue;
        const challenge = String(answer.headers['www-authenticate']);
        expect(challenge, about).toMatch(/^Bearer .*resource_metadata="/);
        expect(answer.headers['cache-control'], about).toBe('no-store');
        if (method !== 'HEAD') expect(JSON.parse(answer.text), about).toMatchObject({ jsonrpc: '2.0' });
      }
    }
  }
  product.time.aheadMs = 0;
  expect(canary.arrivals.length).toBe(before);
});

test('A49: damaged, unknown, expired, revoked and foreign tokens cannot be told apart', async () => {
  const answers = new Set<string>();
  for (const credential of [
    'garbage',
    'a damaged token',
    'a cut token',
    'an expired token',
    'a revoked token',
    'a token of another backend',
  ]) {
    product.time.aheadMs = credential === 'an expired token' ? 3_601_000 : 0;
    const { status, headers, text } = await send(product.url, {
      method: 'POST',
      path: mcpPath,
      headers: wrong.get(credential)?.headers ?? [],
    });
    answers.add(JSON.stringify([status, headers['www-authenticate'], text]));
  }
  product.time.aheadMs = 0;
  expect(answers.size).toBe(1);
});

test('every other address answers the same whoever asks, to its own methods only, and never with 5xx', async () => {
  for (const path of Object.keys(own)) {
    for (const method of methods) {
      for (const headers of [[], good, wrong.get('garbage')?.headers ?? []]) {
        // A client that names itself by Basic would be another test; a bearer token is no client.
        const answer = await send(product.url, { method, path, headers });
        const about = `${method} ${path}`;
        expect(answer.status, about).toBe(expectedStatus(path, method));
        expect(answer.headers['x-content-type-options'], about).toBe('nosniff');
        if (answer.status === 405) expect(answer.headers['allow'], about).toBeDefined();
      }
    }
  }
});

test('CVE-2026-8719: a good token without the role is 403 on every method the endpoint has, and nothing passes', async () => {
  const before = canary.arrivals.length;
  for (const method of methods) {
    const isCall = method === 'POST';
    const answer = await send(product.url, {
      method,
      path: writersPath,
      headers: [...withoutRole, ...(isCall ? ['Content-Type', 'application/json'] : [])],
      ...(isCall ? { body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' } : {}),
    });
    const expected = method === 'OPTIONS' ? 204 : ['GET', 'POST', 'DELETE'].includes(method) ? 403 : 405;
    expect(answer.status, method).toBe(expected);
  }
  expect(canary.arrivals.length).toBe(before);
});

test('the control: the good token passes on GET, POST and DELETE, and other methods are 405', async () => {
  for (const method of methods) {
    const before = canary.arrivals.length;
    const isCall = method === 'POST';
    const answer = await send(product.url, {
      method,
      path: mcpPath,
      headers: [...good, ...(isCall ? ['Content-Type', 'application/json'] : [])],
      ...(isCall ? { body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' } : {}),
    });
    const passes = ['GET', 'POST', 'DELETE'].includes(method);
    expect(answer.status, method).toBe(method === 'OPTIONS' ? 204 : passes ? 200 : 405);
    expect(canary.arrivals.length - before, method).toBe(passes ? 1 : 0);
  }
});

test("D61 CVE-2026-52870: another person's MCP session is 404 on every method, and nothing passes", async () => {
  const opened = await send(product.url, {
    method: 'POST',
    path: mcpPath,
    headers: [...good, 'Content-Type', 'application/json'],
    body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
  });
  const session = String(opened.headers['mcp-session-id']);
  expect(session).toMatch(/^session-/);
  const other = await obtainTokens(product, product.people.guest, { resource: product.url + mcpPath });
  const before = canary.arrivals.length;
  for (const [method, body] of [
    ['GET'],
    ['DELETE'],
    ['POST', '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'],
  ] as const) {
    for (const id of [session, 'session-unknown', '../session-1', '']) {
      const { status } = await send(product.url, {
        method,
        path: mcpPath,
        headers: [
          'Authorization',
          `Bearer ${other.accessToken}`,
          'Mcp-Session-Id',
          id,
          ...(body === undefined ? [] : ['Content-Type', 'application/json']),
        ],
        ...(body === undefined ? {} : { body }),
      });
      expect(status, `${method} ${id}`).toBe(404);
    }
  }
  expect(canary.arrivals.length).toBe(before);
  const owner = await send(product.url, {
    method: 'GET',
    path: mcpPath,
    headers: [...good, 'Mcp-Session-Id', session],
  });
  expect(owner.status).toBe(200);
});

const spellings = [
  '/',
  '/unknown',
  '/snippets',
  '/snippets/',
  '/snippets/mcp/',
  '/snippets/mcp/x',
  '/Snippets/mcp',
  '/snippets/mcp;x=1',
  '/snippets;/mcp',
  '/..;/snippets/mcp',
  '/healthz/..;/snippets/mcp',
  '//snippets/mcp',
  '/snippets//mcp',
  '///snippets/mcp',
  '/./snippets/mcp',
  '/snippets/./mcp',
  '/healthz/../snippets/mcp',
  '/healthz/%2e%2e/snippets/mcp',
  '/healthz%2f..%2fsnippets/mcp',
  '/snippets%2fmcp',
  '/snippets%5cmcp',
  '/snippets\\mcp',
  '/%73nippets/mcp',
  '/snippets/mcp%00',
  '/snippets/mcp%20',
  '/snippets/mcp%',
  '/snippets/mcp.json',
  '/snippets/mcp/../mcp',
  '/healthz?/snippets/mcp',
  '/snippets/mcp#x',
  '*',
  'http://localhost/snippets/mcp',
  'https://evil.example/snippets/mcp',
  '/admin',
  '/metrics',
  '/debug',
  '/.env',
  '/session/end/confirm',
  '/me',
  '/token/introspection',
  '/request',
  '/device/auth',
  '/backchannel',
  '/interaction/x',
  '/reg/x',
];

test('CVE-2026-32211 GHSA-vv7q-7jx5-f767: no other spelling of an address reaches a backend, with or without a token', async () => {
  const before = canary.arrivals.length;
  for (const path of spellings) {
    for (const method of ['GET', 'POST', 'OPTIONS', 'TRACE', 'DELETE']) {
      for (const headers of [[], good]) {
        const lines = [
          `${method} ${path} HTTP/1.1`,
          `Host: ${new URL(product.url).host}`,
          'Connection: close',
        ];
        for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
        const status = statusOf(await sendBytes(product.url, `${lines.join('\r\n')}\r\n\r\n`));
        const isHealth = path.startsWith('/healthz?');
        const about = `${method} ${path}`;
        if (isHealth) expect([200, 204, 405], about).toContain(status);
        else expect([400, 404], about).toContain(status);
      }
    }
  }
  expect(canary.arrivals.length).toBe(before);
});

test('A12: 401 comes before 405 and before the body: headers alone get their answer', async () => {
  const { host } = new URL(product.url);
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
    const received = await sendBytes(
      product.url,
      `${method} ${mcpPath} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n`,
      (text) => text.includes('\r\n\r\n'),
    );
    expect(statusOf(received), method).toBe(401);
  }
  // Announced larger than any limit, and still 401 first: the size is nobody's business before.
  const huge = await sendBytes(
    product.url,
    `POST ${mcpPath} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 99999999999\r\n\r\n`,
    (text) => text.includes('\r\n\r\n'),
  );
  expect(statusOf(huge)).toBe(401);
});

test('CONNECT and Upgrade open no tunnel', async () => {
  const before = canary.arrivals.length;
  const { host } = new URL(product.url);
  const tunnel = await sendBytes(product.url, `CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  expect([0, 400, 404, 405]).toContain(statusOf(tunnel));
  const upgrade = await sendBytes(
    product.url,
    `GET ${mcpPath} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  );
  expect(statusOf(upgrade)).toBe(401);
  expect(canary.arrivals.length).toBe(before);
});
