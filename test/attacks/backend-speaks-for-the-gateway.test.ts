/** Stops: a header of a backend's answer that is obeyed for the whole address of the gateway, or by the proxy in front of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

/** What each would do there. */
const orders: Readonly<Record<string, string>> = {
  // Browsers tell the named address of every later request to this origin, with its URL: of /authorize and /auth/callback.
  NEL: '{"report_to":"evil","max_age":31536000,"success_fraction":1}',
  'Report-To': '{"group":"evil","max_age":31536000,"endpoints":[{"url":"https://evil.example"}]}',
  'Reporting-Endpoints': 'evil="https://evil.example"',
  'Clear-Site-Data': '"*"',
  'Alt-Svc': 'h2="evil.example:443"',
  'Strict-Transport-Security': 'max-age=31536000',
  'Set-Cookie': '__Host-valetkey-browser=evil; Secure; Path=/',
  'Accept-CH': 'Sec-CH-UA-Full-Version-List',
  'Access-Control-Allow-Credentials': 'true',
  // Proxies in front answer with something of their own in place of this answer.
  'X-Accel-Redirect': '/internal/keys.json',
  'X-Accel-Expires': '3600',
  'X-Sendfile': '/etc/valetkey/keys.json',
  'X-Lighttpd-Send-File': '/etc/valetkey/keys.json',
  'X-Envoy-Immediate-Health-Check-Fail': 'true',
  'Surrogate-Control': 'max-age=3600',
  'CDN-Cache-Control': 'public, max-age=3600',
  'WWW-Authenticate': 'Bearer resource_metadata="https://evil.example"',
  Location: 'https://evil.example',
  Refresh: '0; url=https://evil.example',
};

let product: Product;
let canary: CanaryBackend;

beforeAll(async () => {
  canary = await startCanaryBackend(() => ({ status: 200, headers: { ...orders, 'x-own': 'kept' } }));
  product = await startProduct({
    backends: () => ({
      snippets: { path: '/snippets/mcp', upstream: canary.url, scopes: ['snippets.use'] },
    }),
  });
});
afterAll(async () => {
  await product.close();
  await canary.close();
});

test('CWE-441 A54: none of a backend’s orders to browsers and proxies leaves the gateway', async () => {
  const { accessToken } = await obtainTokens(product, product.people.reader);
  const answer = await callMcp(product.mcpUrl, accessToken, 'ping');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('x-own')).toBe('kept');
  for (const name of Object.keys(orders)) expect(answer.headers.get(name), name).toBeNull();
  expect(answer.headers.get('cache-control')).toBe('no-store');
});
