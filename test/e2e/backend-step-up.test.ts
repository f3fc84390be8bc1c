/** Entra wants a second factor for a backend's API in the middle of the day: the official clients, and what their person sees. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { SNIPPETS_API_URI } from '@valetkey/entra-emulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpBrowser, signInOverHttp } from '../support/http-person.ts';
import { openLoopbackCallback } from '../support/loopback-callback.ts';
import { type Product, startProduct } from '../support/product.ts';
import { type ClientMemory, connectSdkClient, type SdkKind } from '../support/sdk-client.ts';

let backend: Server;
let product: Product;

beforeAll(async () => {
  const mcp = createMcpHandler(() => {
    const server = new McpServer({ name: 'api', version: '1' });
    server.registerTool('hello', {}, () => ({ content: [{ type: 'text', text: 'hello' }] }));
    return server;
  });
  const serve = toNodeHandler(mcp);
  backend = createServer((req, res) => void serve(req as NodeIncomingMessageLike, res));
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const { port } = backend.address() as AddressInfo;
  product = await startProduct({
    backends: () => ({
      api: {
        path: '/api/mcp',
        upstream: `http://127.0.0.1:${port}/mcp`,
        credential: { entra: { scopes: [`${SNIPPETS_API_URI}/snippets.use`] } },
      },
    }),
  });
  // Too short to be kept: Entra is asked at every call.
  product.emulator.control.setAccessTokenLifetime(30);
});
afterAll(async () => {
  await product.close();
  backend.closeAllConnections();
  backend.close();
});

test.each<SdkKind>(['v1', 'v2 legacy', 'v2 modern'])(
  'A17 A55: %s: the person is asked to sign in, brings the second factor, and the client goes on',
  async (kind) => {
    const callback = await openLoopbackCallback();
    const browser = createHttpBrowser();
    const memory: ClientMemory = {};
    const factors = { count: 0 };
    const connect = () =>
      connectSdkClient({
        kind,
        mcpUrl: `${product.url}/api/mcp`,
        callback,
        memory,
        async signIn(authorizeUrl) {
          const left = await signInOverHttp(browser, authorizeUrl.href, {
            person: product.people.reader,
            gateway: product.url,
            emulator: product.emulator.httpOrigin,
            onSecondFactor: () => (factors.count += 1),
          });
          if (left.location === undefined) throw new Error(`the person stays at ${left.url}`);
          await fetch(left.location);
        },
      });
    const first = await connect();
    await first.client.callTool('hello');
    expect(factors.count).toBe(0);

    // When the gateway asks for the next token, Conditional Access has changed its mind.
    const claims = JSON.stringify({ access_token: { acrs: { essential: true, values: ['c1'] } } });
    const { control } = product.emulator;
    control.setFault(
      { endpoint: 'token', username: product.people.reader.username },
      { kind: 'aadsts', code: 50076, claims },
    );
    // The first call may still share the answer that a request for the event stream got.
    const attempt = () =>
      first.client.callTool('hello').then(
        () => true,
        () => false,
      );
    await expect.poll(attempt).toBe(false);
    await first.client.close();
    control.clearFaults();

    const second = await connect();
    expect(second.signIns(), 'one sign-in').toBe(1);
    expect(factors.count, 'with the second factor').toBe(1);
    await second.client.callTool('hello');
    await second.client.close();
    await callback.close();
  },
);
