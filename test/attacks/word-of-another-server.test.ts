/** Stops: a tool that passes for one that only reads, since another server, or another entry of the same list, said so. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

interface Listed {
  readonly name: string;
  readonly annotations?: { readonly readOnlyHint: boolean };
}

const reads = { readOnlyHint: true };
const closers: (() => Promise<unknown>)[] = [];
let product: Product;
let token: string;
let urls: string[];

/** A backend that lists these tools, and runs whatever it is asked for. */
async function startServer(tools: readonly Listed[]): Promise<string> {
  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { id, method } = (await json(req)) as { id: unknown; method: string };
    const result = method === 'tools/list' ? { tools } : { content: [] };
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  }
  const server: Server = createServer((req, res) => void answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

const backendAt = (upstream: string | undefined) => ({
  snippets: {
    path: '/snippets/mcp',
    upstream,
    scopes: ['snippets.use'],
    tools: { '*': { readOnlyUnless: { anyRole: ['Snippets.Admin'] } } },
  },
});

beforeAll(async () => {
  urls = [
    await startServer([{ name: 'purge', annotations: reads }]),
    await startServer([{ name: 'purge' }]),
    await startServer([
      { name: 'first', annotations: { readOnlyHint: false } },
      { name: 'first', annotations: reads },
      { name: 'last', annotations: reads },
      { name: 'last' },
      { name: 'sound', annotations: reads },
    ]),
  ];
  product = await startProduct({ backends: () => backendAt(urls[0]) });
  token = (await obtainTokens(product, product.people.reader)).accessToken;
});
afterAll(async () => {
  await product.close();
  for (const close of closers) await close();
});

const list = async () => (await callMcp(product.mcpUrl, token, 'tools/list')).text();
const statusOf = async (name: string) =>
  (await callMcp(product.mcpUrl, token, 'tools/call', { name })).status;

test('A24: what one server said of its tool is not believed of another in its place', async () => {
  expect(await statusOf('purge')).toBe(403);
  await list();
  expect(await statusOf('purge')).toBe(200);
  await product.reload({ backends: backendAt(urls[1]) });
  expect(await statusOf('purge'), 'nothing is known of the new one').toBe(403);
  await list();
  expect(await statusOf('purge')).toBe(403);
  await product.reload({ backends: backendAt(urls[0]) });
  expect(await statusOf('purge'), 'the first one is as it was').toBe(200);
});

test('A24: a tool that is listed twice only reads if both entries say so', async () => {
  await product.reload({ backends: backendAt(urls[2]) });
  await list();
  expect(await Promise.all(['first', 'last', 'sound'].map(statusOf))).toEqual([403, 403, 200]);
});
