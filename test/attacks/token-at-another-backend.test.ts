/** Stops: a token that was given for one backend and works at its neighbour. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpBrowser } from '../support/http-person.ts';
import {
  authorizeRequest,
  callMcp,
  obtainTokens,
  postForm,
  registerClient,
} from '../support/oauth-client.ts';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { type Product, startProduct } from '../support/product.ts';
import { goToConsent, obtainCode } from '../support/sign-in-steps.ts';

const paths = ['/mcp', '/mcp-other', '/snippets/mcp', '/snippets/mcp/x'] as const;

let product: Product;
const canaries = new Map<string, CanaryBackend>();
const tokens = new Map<string, string>();

beforeAll(async () => {
  for (const path of paths) canaries.set(path, await startCanaryBackend());
  product = await startProduct({
    backends: () =>
      Object.fromEntries(
        paths.map((path, index) => [
          `backend${index}`,
          {
            title: `Backend ${index}`,
            path,
            upstream: canaries.get(path)?.url,
            scopes: { 'snippets.use': 'Use it' },
            enter: { anyRole: ['Snippets.Reader'] },
          },
        ]),
      ),
  });
  for (const path of paths) {
    const { accessToken } = await obtainTokens(product, product.people.reader, {
      resource: product.url + path,
    });
    tokens.set(path, accessToken);
  }
});
afterAll(async () => {
  await product.close();
  for (const canary of canaries.values()) await canary.close();
});

const arrivals = () => [...canaries.values()].reduce((sum, canary) => sum + canary.arrivals.length, 0);

test('A13 CVE-2025-69196: each token works at its own backend, and is 401 at every other, also below a prefix', async () => {
  for (const own of paths) {
    for (const path of paths) {
      const before = arrivals();
      const response = await callMcp(product.url + path, tokens.get(own), 'tools/list');
      expect(response.status, `${own} at ${path}`).toBe(own === path ? 200 : 401);
      expect(arrivals() - before, `${own} at ${path}`).toBe(own === path ? 1 : 0);
      if (own !== path) {
        expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
        expect(response.headers.get('www-authenticate')).toContain(
          `resource_metadata="${product.url}/.well-known/oauth-protected-resource${path}"`,
        );
      }
    }
  }
});

test('A34: each backend has its own metadata, and there is none for the root where there are several', async () => {
  for (const path of paths) {
    const response = await fetch(`${product.url}/.well-known/oauth-protected-resource${path}`);
    expect(await response.json()).toMatchObject({ resource: product.url + path });
  }
  expect((await fetch(`${product.url}/.well-known/oauth-protected-resource`)).status).toBe(404);
});

test.each([
  ['a trailing slash', (origin: string) => `${origin}/mcp/`, '/mcp'],
  ['its host in capitals', (origin: string) => `${origin.replace('localhost', 'LOCALHOST')}/mcp`, '/mcp'],
  ['its scheme in capitals', (origin: string) => `${origin.replace('http', 'HTTP')}/mcp`, '/mcp'],
])('CVE-2025-69196: a resource spelled with %s is still that one backend', async (_what, spell, path) => {
  const resource = spell(product.url);
  const { accessToken } = await obtainTokens(product, product.people.reader, { resource });
  for (const each of paths) {
    const { status } = await callMcp(product.url + each, accessToken, 'tools/list');
    expect(status, each).toBe(each === path ? 200 : 401);
  }
});

test.each([
  ['a dot segment to a neighbour', (origin: string) => `${origin}/snippets/../mcp`],
  ['an encoded path', (origin: string) => `${origin}/%6dcp`],
  ['another case', (origin: string) => `${origin}/MCP`],
  ['a query', (origin: string) => `${origin}/mcp?x=/mcp-other`],
  ['a fragment', (origin: string) => `${origin}/mcp#/mcp-other`],
  ['user information', (origin: string) => origin.replace('://', '://x@') + '/mcp'],
  ['another port', () => 'http://localhost:1/mcp'],
  ['another scheme', (origin: string) => `${origin.replace('http:', 'https:')}/mcp`],
  ['a prefix', (origin: string) => `${origin}/mc`],
  ['the origin', (origin: string) => origin],
  ['nothing', () => ''],
  ['Entra', () => 'https://graph.microsoft.com'],
])(
  'CVE-2025-69196: a resource with %s is refused, or is exactly the backend that the person was shown',
  async (_what, spell) => {
    const resource = spell(product.url);
    const { page } = await goToConsent(product, { overrides: { resource } });
    if (page.text.includes('name="decision"')) {
      expect(page.text).toContain(`<code>${product.url}/mcp</code>`);
      return;
    }
    const error = new URL(page.location ?? page.url).searchParams.get('error');
    expect(error ?? String(page.status)).toMatch(/^(invalid_target|invalid_request|400)$/);
  },
);

test('A47 CVE-2025-69196: a code for one backend cannot be turned into a token for another', async () => {
  for (const asked of [
    ['/mcp', '/mcp-other'],
    ['/snippets/mcp', '/snippets/mcp/x'],
  ] as const) {
    const [own, other] = asked;
    const { clientId, code, request } = await obtainCode(product, product.people.reader, {
      overrides: { resource: product.url + own },
    });
    const { status, body } = await postForm(`${product.url}/token`, {
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      code_verifier: request.verifier,
      redirect_uri: 'http://127.0.0.1:33418/callback',
      resource: product.url + other,
    });
    expect(status).toBe(400);
    expect(body['error']).toMatch(/^invalid_(target|grant)$/);
  }
});

test('CVE-2025-69196: a refresh token of one backend gives no access to another', async () => {
  const { clientId, refreshToken } = await obtainTokens(product, product.people.reader, {
    resource: `${product.url}/mcp`,
  });
  const { status, body } = await postForm(`${product.url}/token`, {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: refreshToken,
    resource: `${product.url}/mcp-other`,
  });
  expect(status).toBe(400);
  expect(JSON.stringify(body)).not.toContain('access_token');
});

test('CVE-2025-69196: two resources in one request, or none where there are several, give no token for both', async () => {
  const clientId = await registerClient(product);
  const { url } = authorizeRequest(product, clientId, { resource: `${product.url}/mcp` });
  const twice = await createHttpBrowser().follow(
    `${url}&resource=${encodeURIComponent(`${product.url}/mcp-other`)}`,
    [product.url],
  );
  expect(new URL(twice.location ?? 'about:blank').searchParams.get('error')).toBe('invalid_target');
  const none = await goToConsent(product, { clientId, overrides: { resource: undefined } });
  expect(none.page.text).not.toContain('name="decision"');
});
