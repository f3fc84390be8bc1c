/** Stops two things: a browser client that cannot read why it was refused, and a page that gets more than it may read. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

const inspector = 'http://localhost:6274';

let product: Product;
let token: string;
beforeAll(async () => {
  product = await startProduct();
  ({ accessToken: token } = await obtainTokens(product, product.people.reader));
});
afterAll(() => product.close());

const shared: [path: string, method: string][] = [
  ['/.well-known/oauth-authorization-server', 'GET'],
  ['/.well-known/openid-configuration', 'GET'],
  ['/.well-known/oauth-protected-resource', 'GET'],
  ['/.well-known/oauth-protected-resource/snippets/mcp', 'GET'],
  ['/register', 'POST'],
  ['/token', 'POST'],
  ['/revoke', 'POST'],
  ['/snippets/mcp', 'POST'],
  ['/snippets/mcp', 'GET'],
  ['/snippets/mcp', 'DELETE'],
];

test.each(shared)('A35 D56 D54: the preflight of %s for %s passes, without a token', async (path, method) => {
  const response = await fetch(product.url + path, {
    method: 'OPTIONS',
    headers: {
      origin: inspector,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization,content-type,mcp-protocol-version,mcp-session-id',
    },
  });
  expect(response.status).toBe(204);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('access-control-allow-credentials')).toBeNull();
  expect(response.headers.get('access-control-allow-methods')?.split(', ')).toContain(method);
  const allowed = response.headers.get('access-control-allow-headers')?.split(', ') ?? [];
  expect(allowed).toEqual(expect.arrayContaining(['authorization', 'content-type', 'mcp-protocol-version']));
  expect(allowed).not.toContain('*');
  if (path === '/snippets/mcp')
    expect(allowed).toEqual(expect.arrayContaining(['mcp-session-id', 'last-event-id']));
});

test('A35: the methods that a preflight lists are the ones that work', async () => {
  for (const [path] of shared) {
    const preflight = await fetch(product.url + path, { method: 'OPTIONS', headers: { origin: inspector } });
    const listed = preflight.headers.get('access-control-allow-methods')?.split(', ') ?? [];
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const { status } = await fetch(product.url + path, {
        method,
        headers: { origin: inspector, authorization: `Bearer ${token}` },
      });
      expect(status === 405, `${method} ${path} is ${status}`).toBe(
        !listed.includes(method) || (path === '/snippets/mcp' && status === 405),
      );
    }
  }
});

test.each([
  ['an MCP endpoint without a token', '/snippets/mcp', 'POST', 401],
  ['an MCP endpoint with another method', '/snippets/mcp', 'PUT', 401],
  ['the token endpoint', '/token', 'POST', 400],
  ['registration', '/register', 'POST', 400],
  ['revocation', '/revoke', 'POST', 400],
  ['the wrong method', '/token', 'PUT', 405],
])('A35: a page can read the refusal of %s', async (_what, path, method, status) => {
  const response = await fetch(product.url + path, { method, headers: { origin: inspector } });
  expect(response.status).toBe(status);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  const exposed = response.headers.get('access-control-expose-headers') ?? '';
  expect(exposed).toContain('WWW-Authenticate');
  expect(exposed).toContain('Retry-After');
  if (path === '/snippets/mcp') expect(exposed).toContain('Mcp-Session-Id');
});

test('A35: answers of a backend are readable too, and 403 of policy as well', async () => {
  for (const name of ['hello_mcp', 'save_snippet']) {
    const response = await fetch(product.mcpUrl, {
      method: 'POST',
      headers: {
        origin: inspector,
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } }),
    });
    await response.text();
    expect(response.status).toBe(name === 'hello_mcp' ? 200 : 403);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
  }
});

test('pages that people see are readable by no other origin, and no answer allows credentials', async () => {
  for (const path of [
    '/authorize',
    '/authorize/x',
    '/consent/x',
    '/auth/callback',
    '/healthz',
    '/readyz',
    '/unknown',
  ]) {
    for (const method of ['GET', 'OPTIONS', 'POST']) {
      const response = await fetch(product.url + path, { method, headers: { origin: inspector } });
      expect(response.headers.get('access-control-allow-origin'), `${method} ${path}`).toBeNull();
      expect(response.headers.get('access-control-allow-credentials')).toBeNull();
    }
  }
});

test('A30 A35: a page can read a 429 and when to come back', async () => {
  const strict = await startProduct({ config: { limits: { token: { requests: 1, windowSeconds: 60 } } } });
  try {
    const ask = () => fetch(`${strict.url}/token`, { method: 'POST', headers: { origin: inspector } });
    await ask();
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('access-control-allow-origin')).toBe('*');
    expect(refused.headers.get('access-control-expose-headers')).toContain('Retry-After');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  } finally {
    await strict.close();
  }
});
