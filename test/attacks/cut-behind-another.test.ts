/**
 * Stops: a client that sends a call and a stream at once, and ends its session: the stream is cut before its turn has come on
 * the connection, and the connection would stand still for ever, also when the client has long gone.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { closeGracefully, createHttpServer, listen } from '@valetkey/gateway/http/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { obtainTokens, postForm, type Tokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { statusesOf } from '../support/raw-socket.ts';

let product: Product;
let backend: Server;
/** Before the same gateway, and with connections that can be counted. */
let server: Server;
let held: ServerResponse | undefined;
let streams = 0;

beforeAll(async () => {
  backend = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      if (Buffer.concat(chunks).includes('"hold"')) held = res;
      else {
        res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {}\n\n');
        streams += 1;
        res.on('close', () => {
          streams -= 1;
        });
      }
    });
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const upstream = `http://127.0.0.1:${(backend.address() as AddressInfo).port}/mcp`;
  product = await startProduct({
    backends: () => ({ snippets: { path: '/snippets/mcp', upstream, scopes: ['snippets.use'] } }),
  });
  server = createHttpServer(product.listener, { requestTimeoutMs: 10_000 });
  await listen(server, '127.0.0.1', 0);
});
afterAll(async () => {
  await closeGracefully(server, 200);
  await product.close();
  backend.closeAllConnections();
  await new Promise((resolve) => backend.close(resolve));
});

function callOf({ accessToken }: Tokens, method: string): string {
  const message = JSON.stringify({ jsonrpc: '2.0', id: 1, method });
  const head = [
    `POST ${new URL(product.mcpUrl).pathname} HTTP/1.1`,
    `Host: ${new URL(product.url).host}`,
    `Authorization: Bearer ${accessToken}`,
    'Content-Type: application/json',
    `Content-Length: ${message.length}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${message}`;
}

const countConnections = () =>
  new Promise<number>((resolve) => server.getConnections((_fault, count) => resolve(count)));

test('A22 A54 A56: the connection ends when the turn of the stream comes', async () => {
  const tokens = await obtainTokens(product, product.people.reader);
  const socket = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  let received = '';
  socket
    .on('error', () => {})
    .on('data', (bytes) => {
      received += bytes.toString('latin1');
    });
  socket.write(callOf(tokens, 'hold') + callOf(tokens, 'stream'));
  await expect.poll(() => held !== undefined && streams === 1).toBe(true);
  await postForm(`${product.url}/revoke`, { token: tokens.refreshToken, client_id: tokens.clientId });
  await expect.poll(() => streams).toBe(0);
  held?.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}');
  await expect.poll(() => received).toContain('"result"');
  await expect.poll(countConnections).toBe(0);
  expect(statusesOf(received), 'what was allowed when it came is answered').toEqual([200]);
  socket.destroy();
});
