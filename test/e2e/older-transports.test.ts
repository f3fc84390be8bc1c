/** Clients and backends that speak something older, or no HTTP at all, each signed in to in a browser like any other. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decide, enterAtEntra, launchChromium, openPersonsPage } from '../support/chromium.ts';
import { openLoopbackCallback } from '../support/loopback-callback.ts';
import { type Person, type Product, snippetsBackend, startProduct } from '../support/product.ts';
import { type ClientMemory, connectSdkClient, type SdkKind } from '../support/sdk-client.ts';

let browser: Browser;
let product: Product;

const localBackend = {
  title: 'Local',
  command: [process.execPath, 'packages/gateway/src/proxy/stdio/sdk-fixture.suite.ts'],
  cwd: process.cwd(),
  enter: { anyRole: ['Snippets.Reader', 'Snippets.Writer'] },
  tools: { grow: { anyRole: ['Snippets.Writer'] } },
};

beforeAll(async () => {
  browser = await launchChromium();
  product = await startProduct({
    backends: (url) => ({
      snippets: {
        ...snippetsBackend(url),
        legacySse: { sse: '/snippets/mcp/sse', message: '/snippets/mcp/message' },
      },
      // The addresses of the tutorial: old and new clients come to the same one.
      tutorial: { ...localBackend, path: '/sse', legacySse: { sse: '/sse', message: '/message' } },
      local: {
        ...localBackend,
        path: '/local/mcp',
        legacySse: { sse: '/local/mcp/sse', message: '/local/mcp/message' },
      },
    }),
  });
});
afterAll(async () => {
  await Promise.all([browser.close(), product.close()]);
});

function signInAs(page: Page, person: Person) {
  return async (url: URL): Promise<void> => {
    await page.goto(url.href);
    await decide(page, 'allow');
    await enterAtEntra(page, person);
    await page.locator('#done').waitFor();
  };
}

async function connect(kind: SdkKind, path: string, person: Person) {
  const [page, callback] = await Promise.all([openPersonsPage(browser), openLoopbackCallback()]);
  const memory: ClientMemory = {};
  const connected = await connectSdkClient({
    kind,
    mcpUrl: product.url + path,
    callback,
    signIn: signInAs(page, person),
    memory,
  });
  return {
    ...connected,
    async close() {
      await connected.client.close();
      await callback.close();
      await page.context().close();
    },
  };
}

test.each<[SdkKind, string]>([
  ['v1 sse', '/snippets/mcp/sse'],
  ['v2 sse', '/snippets/mcp/sse'],
])('A12 A34 A51 A54 A55: %s: from the first 401 to tool calls over HTTP+SSE', async (kind, path) => {
  const { client, wire, signIns, close } = await connect(kind, path, product.people.reader);
  expect(signIns()).toBe(1);
  expect(wire[0]).toBe(`GET ${path} 401`);
  expect(await client.listTools(), 'A24').toEqual(['get_snippet', 'hello_mcp']);
  expect(await client.callTool('hello_mcp')).toMatchObject({
    structuredContent: { message: 'Hello I am MCPTool!' },
  });
  await expect(client.callTool('save_snippet', { snippetname: 'x', snippet: 'y' })).rejects.toThrow(
    'Snippets.Writer',
  );
  expect(await client.callTool('hello_mcp'), 'and the stream goes on').toMatchObject({
    structuredContent: {},
  });
  expect(wire.filter((line) => line.startsWith('POST /snippets/mcp/message'))).toContain(
    'POST /snippets/mcp/message 202',
  );
  await close();
  const calls = (await product.readAudit()).filter(({ event }) => event === 'mcp.call');
  expect(calls).toContainEqual(
    expect.objectContaining({
      method: 'tools/call',
      target: 'hello_mcp',
      outcome: 'success',
      backend: 'snippets',
    }),
  );
});

test.each<SdkKind>(['v1 sse', 'v1', 'v2 modern'])(
  'A55: %s at the tutorial’s /sse and /message',
  async (kind) => {
    const { client, close } = await connect(kind, '/sse', product.people.writer);
    expect(await client.listTools()).toEqual(['grow', 'steps', 'who']);
    expect(await client.callTool('steps', { steps: 0 })).toMatchObject({ content: [{}] });
    await close();
  },
);

test.each<[SdkKind, string]>([
  ['v1', '/local/mcp'],
  ['v2 legacy', '/local/mcp'],
  ['v2 modern', '/local/mcp'],
  ['v1 sse', '/local/mcp/sse'],
])('A24 A51 A53 A55: %s before a command of this machine at %s', async (kind, path) => {
  const { client, close } = await connect(kind, path, product.people.reader);
  expect(await client.listTools()).toEqual(['steps', 'who']);
  const reader = product.emulator.seed.tenants
    .flatMap(({ users }) => users)
    .find(({ username }) => username === product.people.reader.username);
  expect(JSON.stringify(await client.callTool('who'))).toContain(String(reader?.objectId));
  await expect(client.callTool('grow')).rejects.toThrow('Snippets.Writer');
  await close();
});
