/** Stops: a resource URI that fits the pattern of one resource and makes the backend read another. */
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
  const admin = { anyRole: ['Snippets.Admin'] };
  ({ product, canary, token, close } = await startCanaryProduct((upstream) => ({
    files: {
      path: '/snippets/mcp',
      upstream,
      scopes: ['snippets.use'],
      enter: { anyRole: ['Snippets.Reader'] },
      prompts: { 'admin_*': admin },
      resources: { 'file:///projects/*': {}, 'file:///secret/*': admin, 'file:///plan': admin },
    },
  })));
});
afterAll(() => close());
beforeEach(() => {
  canary.arrivals.length = 0;
});

const ask = (method: string, params: Record<string, unknown>) =>
  callMcp(product.mcpUrl, token, method, params);

test.each([
  'file:///projects/../secret/plan',
  'file:///projects/./../secret/plan',
  'file:///projects/%2e%2e/secret/plan',
  'file:///projects/%2E%2e%2Fsecret%2Fplan',
  'file:///projects/..%2fsecret%2fplan',
  'file:///projects/..\\secret\\plan',
  'file:///projects/..%5csecret%5cplan',
  'file:///projects/%252e%252e%252fsecret%252fplan',
  'file:///projects/x/..',
  'file:///x/../plan',
  'file:///%70lan',
  'file:///secre%74/plan',
  'file:///projects/a\u0000/../../secret/plan',
])('CWE-22 A24: %j reaches no backend, by whichever method', async (uri) => {
  for (const method of ['resources/read', 'resources/subscribe', 'resources/unsubscribe']) {
    const answer = await ask(method, { uri });
    expect(answer.status, method).toBe(400);
    expect(await readMessage(answer)).toMatchObject({ error: { code: -32602 } });
  }
  const ref = { type: 'ref/resource', uri };
  expect((await ask('completion/complete', { ref, argument: { name: 'a', value: '' } })).status).toBe(400);
  expect(canary.arrivals).toEqual([]);
});

test.each<[string, Record<string, unknown>]>([
  ['completion/complete', { ref: { type: 'ref/prompt', name: 'admin_report' } }],
  ['completion/complete', { ref: { type: 'ref/resource', uri: 'file:///secret/{name}' } }],
  ['completion/complete', { ref: { type: 'ref/resource', uri: 'file:///{+path}' } }],
  ['completion/complete', { ref: { type: 'ref/resource', name: 'free', uri: 'file:///secret/{name}' } }],
  ['completion/complete', { ref: { type: 'ref/prompt', name: 'admin_report', uri: 'file:///projects/x' } }],
  [
    'subscriptions/listen',
    { notifications: { resourceSubscriptions: ['file:///projects/x', 'file:///plan'] } },
  ],
])('A24: %s with %j asks for what the caller may not have', async (method, params) => {
  expect((await ask(method, params)).status).toBe(403);
  expect(canary.arrivals).toEqual([]);
});

test.each<[string, Record<string, unknown>]>([
  ['completion/complete', { ref: { type: 'ref/anything', name: 'free', uri: 'file:///plan' } }],
  ['completion/complete', { ref: { name: 'free' } }],
  ['resources/read', { URI: 'file:///plan' }],
  ['resources/read', { uri: ['file:///plan'] }],
  ['subscriptions/listen', { notifications: { ResourceSubscriptions: ['file:///plan'] } }],
  ['subscriptions/listen', { notifications: { resourceSubscriptions: [['file:///plan']] } }],
  ['subscriptions/listen', { Notifications: { resourceSubscriptions: ['file:///plan'] } }],
])('A24: %s with %j can be read in two ways, and is refused', async (method, params) => {
  expect((await ask(method, params)).status).toBe(400);
  expect(canary.arrivals).toEqual([]);
});

test('A24: a batch in which one message asks for too much runs none of them, and each has an answer of its own', async () => {
  const read = (id: number, uri: string) => ({
    jsonrpc: '2.0',
    id,
    method: 'resources/read',
    params: { uri },
  });
  const { status, body } = await postJson(
    product.mcpUrl,
    [read(1, 'file:///projects/a'), read(2, 'file:///secret/plan')],
    { authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream' },
  );
  expect(status).toBe(403);
  expect(body).toMatchObject([
    { id: 1, error: { message: expect.stringContaining('another message') } },
    { id: 2, error: { data: { reason: 'missing_role', missingRoles: ['Snippets.Admin'] } } },
  ]);
  expect(canary.arrivals).toEqual([]);
});

test('what is written as it is meant arrives', async () => {
  for (const uri of ['file:///projects/a', 'file:///projects/a%20b', 'file:///other'])
    expect((await ask('resources/read', { uri })).status).toBe(200);
  expect(canary.arrivals).toHaveLength(3);
});
