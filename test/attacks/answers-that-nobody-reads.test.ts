/** Stops: a client that calls on and on and reads no answer, so that the gateway keeps all of them in its memory. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
let backend: Server;
let socket: Socket | undefined;
let arrived = 0;
const answerBytes = 48 * 1024;

beforeAll(async () => {
  const answer = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { text: 'x'.repeat(answerBytes) } });
  backend = createServer((req, res) => {
    req.resume().on('end', () => {
      arrived += 1;
      res.writeHead(200, { 'content-type': 'application/json' }).end(answer);
    });
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const { port } = backend.address() as AddressInfo;
  product = await startProduct({
    backends: () => ({
      snippets: {
        path: '/snippets/mcp',
        upstream: `http://127.0.0.1:${port}/mcp`,
        scopes: ['snippets.use'],
        enter: { anyRole: ['Snippets.Reader'] },
      },
    }),
  });
});
afterAll(async () => {
  socket?.destroy();
  await product.close();
  backend.closeAllConnections();
  backend.close();
});

test('A22 D15: calls wait until the answers before them are on their way', async () => {
  const { accessToken } = await obtainTokens(product, product.people.reader);
  const { host, hostname, port, pathname } = new URL(product.mcpUrl);
  const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
  const call = [
    `POST ${pathname} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: Bearer ${accessToken}`,
    'Content-Type: application/json',
    'Accept: application/json, text/event-stream',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
  socket = connect({ host: hostname, port: Number(port), noDelay: true });
  socket.pause();
  const { taken } = product;
  const fastBefore = taken.fast;
  for (let sent = 1; sent <= 600 && arrived === sent - 1; sent += 1) {
    socket.write(call);
    await waitUntil(() => arrived === sent);
    // The answer must be out, or the next call is held for another reason.
    await pause(2);
  }
  expect(taken.fast).toBeGreaterThan(fastBefore);
  // What two sockets take at most is some ten megabytes.
  expect(arrived).toBeLessThan(400);
});

async function waitUntil(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 60 && !isSo(); turn += 1) await pause(5);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
