/** Stops: a web page whose name was re-pointed at this machine, so that the person's browser talks to the gateway for it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CanaryBackend } from '../support/canary-backend.ts';
import { startCanaryProduct } from '../support/canary-product.ts';
import type { Product } from '../support/product.ts';
import { send } from '../support/raw-http.ts';

let product: Product;
let canary: CanaryBackend;
let token: string;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ product, canary, token, close } = await startCanaryProduct());
});
afterAll(() => close());

const requests = [
  ['GET', '/.well-known/oauth-authorization-server'],
  ['GET', '/.well-known/openid-configuration'],
  ['GET', '/.well-known/oauth-protected-resource/snippets/mcp'],
  ['GET', '/jwks'],
  ['POST', '/register'],
  ['POST', '/token'],
  ['POST', '/revoke'],
  ['GET', '/authorize'],
  ['GET', '/authorize/x'],
  ['GET', '/consent/x'],
  ['POST', '/consent/x'],
  ['GET', '/auth/callback'],
  ['GET', '/snippets/mcp'],
  ['POST', '/snippets/mcp'],
  ['DELETE', '/snippets/mcp'],
  ['OPTIONS', '/snippets/mcp'],
  ['OPTIONS', '/token'],
  ['GET', '/unknown'],
] as const;

function foreignHosts(): string[] {
  const { port } = new URL(product.url);
  return [
    'evil.example',
    `evil.example:${port}`,
    `localhost.evil.example:${port}`,
    `127.0.0.1.nip.io:${port}`,
    `localhost@evil.example:${port}`,
    `evil.example#localhost:${port}`,
    `0.0.0.0:${port}`,
    `[::]:${port}`,
    `169.254.169.254`,
    '',
  ];
}

test('D32 CVE-2025-66414 CVE-2025-66416 CVE-2026-34742: a foreign Host is 403 on every address but health, whatever the token', async () => {
  for (const host of foreignHosts()) {
    for (const [method, path] of requests) {
      for (const headers of [[], ['Authorization', `Bearer ${token}`]]) {
        const { status, text } = await send(product.url, {
          method,
          path,
          headers: ['Host', host, ...headers],
        });
        expect(status, `${method} ${path} at ${host}`).toBe(403);
        expect(text).not.toContain('localhost:');
      }
    }
    for (const path of ['/healthz', '/readyz']) {
      expect((await send(product.url, { method: 'GET', path, headers: ['Host', host] })).status).toBe(200);
    }
  }
  expect(canary.arrivals).toEqual([]);
});

const foreignOrigins = [
  'https://evil.example',
  'http://evil.example',
  'http://localhost.evil.example',
  'http://127.0.0.1.nip.io',
  'null',
  'file://',
  'chrome-extension://abc',
  'http://localhost:1@evil.example',
  'http://localhost:1/path',
  'http://localhost:1,https://evil.example',
];

test('D32 CVE-2025-66414 CVE-2025-49596: a foreign Origin is 403 wherever something is read with a token, or changed', async () => {
  const changing = requests.filter(([method, path]) => path === '/snippets/mcp' || method === 'POST');
  for (const origin of foreignOrigins) {
    for (const [method, path] of changing) {
      if (method === 'OPTIONS') continue;
      const { status, headers } = await send(product.url, {
        method,
        path,
        headers: ['Origin', origin, 'Authorization', `Bearer ${token}`],
        // A decision is judged with its form in hand.
        ...(path.startsWith('/consent')
          ? { headers: ['Origin', origin, 'Content-Type', 'application/x-www-form-urlencoded'] }
          : {}),
      });
      expect(status, `${method} ${path} from ${origin}`).toBe(403);
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
  }
  expect(canary.arrivals).toEqual([]);
});

test('the control: pages of this machine pass, as the Inspector does', async () => {
  for (const origin of ['http://localhost:6274', 'http://127.0.0.1:6274', 'http://[::1]:6274', product.url]) {
    const { status } = await send(product.url, {
      method: 'POST',
      path: '/snippets/mcp',
      headers: ['Origin', origin, 'Authorization', `Bearer ${token}`, 'Content-Type', 'application/json'],
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    });
    expect(status, origin).toBe(200);
  }
});
