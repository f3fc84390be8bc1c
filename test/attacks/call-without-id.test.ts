/**
 * Stops: a call that is sent as a notification, so that it is work at the backend which no bound counts and nobody waits
 * for: a request must have an id (MCP Base Protocol, Requests), and some servers run it without.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { obtainTokens, postJson } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { openSseClient } from '../support/sse-client.ts';

let product: Product;
let canary: CanaryBackend;
let token: string;

beforeAll(async () => {
  canary = await startCanaryBackend();
  product = await startProduct({
    backends: () => ({
      snippets: {
        path: '/snippets/mcp',
        upstream: canary.url,
        scopes: ['snippets.use'],
        maxConcurrent: 1,
        legacySse: { sse: '/snippets/mcp/sse', message: '/snippets/mcp/message' },
      },
    }),
  });
  token = (await obtainTokens(product, product.people.reader)).accessToken;
});
afterAll(async () => {
  await product.close();
  await canary.close();
});
beforeEach(() => void canary.arrivals.splice(0));

const call = { jsonrpc: '2.0', method: 'tools/call', params: { name: 'wipe' } };
const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
const post = (body: unknown, headers: Record<string, string> = {}) =>
  postJson(product.mcpUrl, body, { authorization: `Bearer ${token}`, ...headers });
const modern = {
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'wipe',
};

test.each<[string, unknown, Record<string, string>]>([
  ['alone', call, {}],
  ['in the era without sessions', call, modern],
  ['beside a request in a batch', [ping, call], {}],
  ['with an id for readers without regard to case', { ...call, ID: 7 }, {}],
  ['as a read', { jsonrpc: '2.0', method: 'resources/read', params: { uri: 'file:///plan' } }, {}],
])('CWE-770 A22: %s it is refused, and goes nowhere', async (_how, body, headers) => {
  const { status, body: answer } = await post(body, headers);
  expect([status, answer]).toMatchObject([400, { error: { code: -32600 } }]);
  expect(canary.arrivals).toEqual([]);
});

test('CWE-770: it is refused at the address of the older transport too', async () => {
  const client = await openSseClient(`${product.mcpUrl}/sse`, token);
  const { status } = await client.post(JSON.stringify(call));
  expect(status).toBe(400);
  expect(canary.arrivals).toEqual([]);
  client.close();
});

test('the control: with an id it arrives, and so do notifications, of whichever name', async () => {
  expect((await post({ ...call, id: 2 })).status).toBe(200);
  expect((await post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' })).status).toBe(200);
  expect((await post({ jsonrpc: '2.0', method: 'acme/noticed' })).status).toBe(200);
  expect(canary.arrivals).toHaveLength(3);
});
