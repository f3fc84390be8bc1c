/** Stops: a backend's list that is nested so deep that writing it anew overflows the stack. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
let backend: Server;
let token: string;
const next = { type: '', text: '' };
const crashes: unknown[] = [];
const onCrash = (fault: unknown) => void crashes.push(fault);

beforeAll(async () => {
  process.on('uncaughtExceptionMonitor', onCrash);
  backend = createServer((req, res) => {
    req.resume();
    res.writeHead(200, { 'content-type': next.type }).end(next.text);
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const upstream = `http://127.0.0.1:${(backend.address() as AddressInfo).port}/mcp`;
  const tools = { hidden: { anyRole: ['Snippets.Admin'] } };
  product = await startProduct({
    backends: () => ({
      snippets: {
        path: '/snippets/mcp',
        upstream,
        scopes: ['snippets.use'],
        tools,
        circuit: { failures: 0 },
      },
    }),
  });
  token = (await obtainTokens(product, product.people.reader)).accessToken;
});
afterAll(async () => {
  process.off('uncaughtExceptionMonitor', onCrash);
  await product.close();
  backend.closeAllConnections();
  await new Promise((resolve) => backend.close(resolve));
});

function listOf(depth: number): string {
  const deep = '['.repeat(depth) + ']'.repeat(depth);
  const tools = `[{"name":"hidden"},{"name":"free","inputSchema":{"x":${deep}}}]`;
  return `{"jsonrpc":"2.0","id":1,"result":{"tools":${tools}}}`;
}

test.each([100, 10_000, 200_000, 900_000])(
  'A22 CWE-674: %i levels, as JSON and as an event: no crash, and nothing unfiltered',
  async (depth) => {
    for (const type of ['application/json', 'text/event-stream']) {
      const list = listOf(depth);
      Object.assign(next, { type, text: type === 'application/json' ? list : `data: ${list}\n\n` });
      const answer = await callMcp(product.mcpUrl, token, 'tools/list');
      const text = await answer.text().catch(() => '');
      expect(text, type).not.toContain('hidden');
      if (depth === 100) expect(text, type).toContain('free');
    }
    expect((await callMcp(product.mcpUrl, token, 'ping')).status).toBe(200);
    expect(crashes).toEqual([]);
    expect(product.logLines.filter((line) => line.includes('request failed'))).toEqual([]);
  },
);
