/** Stops: an issuer, an address or a redirect that a request header can choose. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authorizeRequest, registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { type RawAnswer, send, sendBytes, statusOf } from '../support/raw-http.ts';

let product: Product;
let clientId: string;

beforeAll(async () => {
  product = await startProduct();
  clientId = await registerClient(product);
});
afterAll(() => product.close());

const lies: [what: string, headers: string[]][] = [
  ['another loopback name', ['Host', '127.0.0.1:9999']],
  ['X-Forwarded-Host', ['X-Forwarded-Host', 'evil.example']],
  ['X-Forwarded-Proto', ['X-Forwarded-Proto', 'https']],
  ['X-Forwarded-Port', ['X-Forwarded-Port', '1']],
  ['X-Forwarded-Prefix', ['X-Forwarded-Prefix', '/evil']],
  ['Forwarded', ['Forwarded', 'host=evil.example;proto=https;for=127.0.0.1']],
  ['X-Original-Host', ['X-Original-Host', 'evil.example', 'X-Host', 'evil.example']],
  ['X-Original-URL', ['X-Original-URL', '/healthz', 'X-Rewrite-URL', '/healthz']],
  [
    'all of them',
    ['X-Forwarded-Host', 'evil.example', 'X-Forwarded-Proto', 'https', 'Forwarded', 'host=evil.example'],
  ],
];

/** What an answer says about where things are, without what differs from one request to the next. */
function addressesIn({ status, headers, text }: RawAnswer): string {
  const location = String(headers['location']).replace(/\/consent\/[\w-]+/, '/consent/ID');
  const challenge = String(headers['www-authenticate']);
  const cookies = [headers['set-cookie'] ?? []]
    .flat()
    .map((line) => line.replace(/=[^;]+/, '').replaceAll(/\/(consent|authorize)\/[\w-]+/g, '/$1/ID'))
    .map((line) => line.replace(/expires=[^;]+/i, ''));
  const body = text.startsWith('{') ? text.replace(/"request_id":"[^"]+"/, '') : '';
  return JSON.stringify([status, location, challenge, cookies, body]);
}

test.each(lies)(
  'A34 CVE-2026-48710: %s changes no issuer, no address, no redirect and no cookie',
  async (_what, headers) => {
    const { pathname, search } = new URL(
      authorizeRequest(product, clientId, { state: 's', code_challenge: 'c'.repeat(43) }).url,
    );
    for (const [method, path] of [
      ['GET', '/.well-known/oauth-authorization-server'],
      ['GET', '/.well-known/openid-configuration'],
      ['GET', '/.well-known/oauth-protected-resource/snippets/mcp'],
      ['GET', '/.well-known/oauth-protected-resource'],
      ['POST', '/snippets/mcp'],
      ['GET', pathname + search],
      ['GET', `${pathname}${search}&prompt=none`],
    ] as const) {
      const honest = await send(product.url, { method, path });
      const lied = await send(product.url, { method, path, headers });
      expect(addressesIn(lied), `${method} ${path.slice(0, 60)}`).toBe(addressesIn(honest));
      expect(JSON.stringify(lied.headers)).not.toContain('evil');
    }
  },
);

test('CVE-2026-48710: two Host headers, or none, are no request', async () => {
  const { host } = new URL(product.url);
  const path = '/.well-known/oauth-authorization-server';
  const twice = await sendBytes(
    product.url,
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
  );
  const none = await sendBytes(product.url, `GET ${path} HTTP/1.1\r\nConnection: close\r\n\r\n`);
  const old = await sendBytes(product.url, `GET ${path} HTTP/1.0\r\n\r\n`);
  for (const received of [twice, none, old]) {
    expect([400, 403]).toContain(statusOf(received));
    expect(received).not.toContain('"issuer"');
  }
});

test('CVE-2026-48710: with an https address every cookie is Secure, and __Host- where its path allows', async () => {
  const publicUrl = 'https://mcp.contoso.example';
  const secured = await startProduct({ config: { publicUrl } });
  try {
    const host = ['Host', 'mcp.contoso.example'];
    const metadata = await send(secured.url, {
      method: 'GET',
      path: '/.well-known/oauth-authorization-server',
      headers: host,
    });
    expect(JSON.parse(metadata.text)).toMatchObject({
      issuer: publicUrl,
      token_endpoint: `${publicUrl}/token`,
    });
    const registered = await send(secured.url, {
      method: 'POST',
      path: '/register',
      headers: [...host, 'Content-Type', 'application/json'],
      body: '{"redirect_uris":["https://client.example/cb"],"token_endpoint_auth_method":"none"}',
    });
    const { client_id: id } = JSON.parse(registered.text) as { client_id: string };
    const { url } = authorizeRequest(
      { ...secured, url: publicUrl, mcpUrl: `${publicUrl}/snippets/mcp` },
      id,
      {
        redirect_uri: 'https://client.example/cb',
      },
    );
    const { pathname, search } = new URL(url);
    const asked = await send(secured.url, { method: 'GET', path: pathname + search, headers: host });
    const own = [asked.headers['set-cookie'] ?? []].flat();
    const cookie = own.map((line) => line.split(';', 1)[0]).join('; ');
    const page = await send(secured.url, {
      method: 'GET',
      path: String(asked.headers['location']),
      headers: [...host, 'Cookie', cookie],
    });
    expect(page.status).toBe(200);
    const lines = [...own, ...[page.headers['set-cookie'] ?? []].flat()];
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) {
      expect(line).toMatch(/; secure/i);
      expect(line).toMatch(/; httponly/i);
      expect(line).toMatch(/; samesite=lax/i);
      expect(line).not.toMatch(/; domain=/i);
      expect(line.startsWith('__Host-') || /path=\/(consent|authorize)\//i.test(line), line).toBe(true);
    }
  } finally {
    await secured.close();
  }
});
