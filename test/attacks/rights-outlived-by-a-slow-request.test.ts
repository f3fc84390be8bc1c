/** Stops: a request that is sent slowly, so that it is let in with rights that have ended before it is whole. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { callMcp, obtainTokens, postForm, type Tokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { beginSlowCall } from '../support/slow-request.ts';

let product: Product;
let canary: CanaryBackend;
let tokens: Tokens;

const backendOf = (more: Record<string, unknown> = {}) => ({
  snippets: {
    path: '/snippets/mcp',
    upstream: canary.url,
    scopes: ['snippets.use'],
    enter: { anyRole: ['Snippets.Reader'] },
    ...more,
  },
});
const call = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'wipe' } };
const version = '2026-07-28';
const listen = (uri: string) => ({
  jsonrpc: '2.0',
  id: 8,
  method: 'subscriptions/listen',
  params: {
    notifications: { resourceSubscriptions: [uri] },
    _meta: { 'io.modelcontextprotocol/protocolVersion': version },
  },
});
const modern = { 'mcp-protocol-version': version, 'mcp-method': 'subscriptions/listen' };

beforeAll(async () => {
  canary = await startCanaryBackend();
  product = await startProduct({ backends: () => backendOf() });
});
afterAll(async () => {
  await product.close();
  await canary.close();
});
beforeEach(async () => {
  product.time.aheadMs = 0;
  await product.reload({ backends: backendOf() });
  tokens = await obtainTokens(product, product.people.reader);
  canary.arrivals.length = 0;
});

const arrived = (part: string) => canary.arrivals.filter(({ body }) => body.includes(part));

async function revoke(): Promise<void> {
  const { clientId, refreshToken } = tokens;
  await postForm(`${product.url}/revoke`, { token: refreshToken, client_id: clientId });
  const answer = await callMcp(product.mcpUrl, tokens.accessToken, 'ping');
  expect(answer.status).toBe(401);
}

test.each<[string, Record<string, unknown>, Record<string, string>]>([
  ['a call', call, {}],
  ['a stream', listen('file:///plan'), modern],
])(
  'A56 A22: %s of a session that ended while it was being sent is not made',
  async (_what, message, headers) => {
    const slow = await beginSlowCall(product.mcpUrl, tokens.accessToken, message, headers);
    await revoke();
    expect(await slow.finish()).toBe(401);
    expect(slow.received()).toContain('error="invalid_token"');
    expect(arrived(String(message['method']))).toEqual([]);
    const reasons = async () =>
      (await product.readAudit()).filter(({ httpStatus }) => httpStatus === 401).map(({ reason }) => reason);
    await expect.poll(reasons).toContain('session_ended');
    slow.close();
  },
);

test('A56: a call whose token expired while it was being sent is not made', async () => {
  const slow = await beginSlowCall(product.mcpUrl, tokens.accessToken, call);
  product.time.aheadMs = 2 * 3600 * 1000;
  expect(await slow.finish()).toBe(401);
  expect(arrived('wipe')).toEqual([]);
  slow.close();
});

test('A24: a call that was being sent while the rules changed is judged by the rules of now', async () => {
  const slow = await beginSlowCall(product.mcpUrl, tokens.accessToken, call);
  await product.reload({ backends: backendOf({ tools: { wipe: { anyRole: ['Snippets.Admin'] } } }) });
  expect(await slow.finish()).toBe(403);
  expect(arrived('wipe')).toEqual([]);
  slow.close();
});

test('A24: what was being sent while the server was taken out of the configuration does not reach it', async () => {
  const slow = await beginSlowCall(product.mcpUrl, tokens.accessToken, call);
  const other = { ...backendOf().snippets, path: '/other/mcp' };
  await product.reload({ backends: { other } });
  expect(await slow.finish()).toBe(401);
  expect(arrived('wipe')).toEqual([]);
  slow.close();
});

test('A24: a stream about a resource ends with the right to read that resource', async () => {
  const slow = await beginSlowCall(product.mcpUrl, tokens.accessToken, listen('file:///plan'), modern);
  const free = await beginSlowCall(product.mcpUrl, tokens.accessToken, listen('file:///free'), modern);
  expect(await slow.finish()).toBe(200);
  expect(await free.finish()).toBe(200);
  await product.reload({
    backends: backendOf({ resources: { 'file:///plan': { anyRole: ['Snippets.Admin'] } } }),
  });
  await expect.poll(slow.isOpen).toBe(false);
  expect(free.isOpen()).toBe(true);
  free.close();
  slow.close();
});
