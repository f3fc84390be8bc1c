/** Stops: calls that stand in a batch beside a subscription, and by that pass the bound on calls and the truth of the records. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens, postJson } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
let backend: Server;
let token: string;
const held: ServerResponse[] = [];

beforeAll(async () => {
  backend = createServer((req, res) => {
    req.resume();
    held.push(res);
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const upstream = `http://127.0.0.1:${(backend.address() as AddressInfo).port}/mcp`;
  product = await startProduct({
    backends: () => ({
      snippets: { path: '/snippets/mcp', upstream, scopes: ['snippets.use'], maxConcurrent: 1 },
    }),
  });
  token = (await obtainTokens(product, product.people.reader)).accessToken;
});
afterAll(async () => {
  await product.close();
  backend.closeAllConnections();
  await new Promise((resolve) => backend.close(resolve));
});

const batch = [
  { jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: { notifications: {} } },
  { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'wipe' } },
];

const post = () => postJson(product.mcpUrl, batch, { authorization: `Bearer ${token}` });

test('CWE-770: they are calls, and wait for no place that there is not', async () => {
  const first = callMcp(product.mcpUrl, token, 'tools/call', { name: 'slow' });
  await expect.poll(() => held.length).toBe(1);
  expect((await post()).status).toBe(503);
  held.pop()?.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  expect((await first).status).toBe(200);
});

test('A25: their records tell how they ended, and not how they began', async () => {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const asked = fetch(product.mcpUrl, { method: 'POST', headers, body: JSON.stringify(batch) });
  await expect.poll(() => held.length).toBe(1);
  const [res] = held;
  res?.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {}\n\n');
  const answer = await asked;
  res?.destroy();
  await answer.text().catch(() => undefined);
  const ends = async () =>
    (await product.readAudit())
      .filter(({ reason, event }) => event === 'mcp.call' && reason === 'backend_lost')
      .map(({ method, outcome }) => [method, outcome]);
  await expect.poll(ends).toEqual([
    ['subscriptions/listen', 'error'],
    ['tools/call', 'error'],
  ]);
});
