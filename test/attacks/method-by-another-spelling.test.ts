/** Stops: a method that no rule knows by its spelling, and that an easy-going backend runs as the one that it looks like. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CanaryBackend } from '../support/canary-backend.ts';
import { startCanaryProduct } from '../support/canary-product.ts';
import { callMcp, postJson, readMessage } from '../support/oauth-client.ts';
import type { Product } from '../support/product.ts';

let product: Product;
let canary: CanaryBackend;
let token: string;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ product, canary, token, close } = await startCanaryProduct((upstream) => ({
    snippets: {
      path: '/snippets/mcp',
      upstream,
      scopes: ['snippets.use'],
      tools: { wipe: { anyRole: ['Snippets.Admin'] } },
      resources: { 'file:///plan': { anyRole: ['Snippets.Admin'] } },
    },
  })));
});
afterAll(() => close());
beforeEach(() => {
  canary.arrivals.length = 0;
});

test.each([
  'Tools/Call',
  'TOOLS/CALL',
  'tools/call ',
  ' tools/call',
  'tools/call/',
  '/tools/call',
  'tools//call',
  'tools\\call',
  'tools.call',
  'tools_call',
  'tool\u017f/call',
  '\uff54ools/call',
  'tools\uff0fcall',
  'too\u200bls/call',
  'tools/cal\u00adl',
  'tools/call\u0000',
  'tools/call\n',
  'resources/Read',
  'Tools/list',
  'tools/LIST',
  'resources/templates\\list',
  'Completion/complete',
])('A24 CVE-2026-8719: %j reaches no backend, alone, told or in a batch', async (method) => {
  const params = { name: 'wipe', uri: 'file:///plan' };
  const answer = await callMcp(product.mcpUrl, token, method, params);
  expect(answer.status).toBe(400);
  expect(await readMessage(answer)).toMatchObject({ id: 1, error: { code: -32602 } });
  const authorization = `Bearer ${token}`;
  const told = { jsonrpc: '2.0', method, params };
  expect((await postJson(product.mcpUrl, told, { authorization })).status).toBe(400);
  const batch = [{ jsonrpc: '2.0', id: 1, method: 'ping' }, told];
  expect((await postJson(product.mcpUrl, batch, { authorization })).status).toBe(400);
  expect(canary.arrivals).toEqual([]);
});

test.each([
  'ping',
  'x-vendor/tools',
  'tools/call/progress',
  'notifications/initialized',
  'vendor/tools/call',
])('%s is nobody’s double, and passes', async (method) => {
  expect((await callMcp(product.mcpUrl, token, method)).status).toBe(200);
  expect(canary.arrivals).toHaveLength(1);
});
