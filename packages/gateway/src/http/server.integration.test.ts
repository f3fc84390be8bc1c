import { once } from 'node:events';
import type { IncomingMessage, RequestListener } from 'node:http';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { closeGracefully, createHttpServer, listen } from './server.ts';

async function open(router: RequestListener, options = { requestTimeoutMs: 5000 }) {
  const server = createHttpServer(router, options);
  const { port } = await listen(server, '127.0.0.1', 0);
  return { server, port };
}

async function getResponse(port: number, agent?: Agent): Promise<IncomingMessage> {
  const [res] = (await once(get({ host: '127.0.0.1', port, ...(agent && { agent }) }), 'response')) as [
    IncomingMessage,
  ];
  return res;
}

test('an answer under way ends, and idle keep-alive connections do not hold the close', async () => {
  const release = Promise.withResolvers<void>();
  const { server, port } = await open((_, res) => {
    res.write('first ');
    void release.promise.then(() => res.end('last'));
  });
  const agent = new Agent({ keepAlive: true });
  const res = await getResponse(port, agent);
  const closing = closeGracefully(server, 10_000);
  release.resolve();
  expect(await text(res)).toBe('first last');
  await closing;
  agent.destroy();
  await expect(getResponse(port)).rejects.toThrow('ECONNREFUSED');
});

test('A22: event streams are cut at once, and only they', async () => {
  const { server, port } = await open((_, res) => {
    res.setHeader('X-Request-Id', 'as the router does');
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.write('data: 1\n\n');
  });
  const res = await getResponse(port);
  const cut = text(res);
  await Promise.all([closeGracefully(server, 60_000), expect(cut).rejects.toThrow('aborted')]);
});

test('an answer that never ends is cut when the time is over', async () => {
  const { server, port } = await open((_, res) => void res.write('never'));
  const res = await getResponse(port);
  const cut = text(res);
  await Promise.all([closeGracefully(server, 50), expect(cut).rejects.toThrow('aborted')]);
});

test('closing twice, or before listening, is harmless', async () => {
  const { server } = await open(() => {});
  await closeGracefully(server);
  await closeGracefully(server);
});

test('headers beyond the limit get 431', async () => {
  const { server, port } = await open((_, res) => void res.end());
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'a'.repeat(17_000)}\r\n\r\n`);
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 431 /);
  await closeGracefully(server);
});

test('a request whose headers never arrive gets 408', async () => {
  const { server, port } = await open((_, res) => void res.end(), { requestTimeoutMs: 20 });
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /);
  await closeGracefully(server);
});

test('a port in use is an error of listen', async () => {
  const { server, port } = await open(() => {});
  await expect(
    listen(
      createHttpServer(() => {}, { requestTimeoutMs: 1000 }),
      '127.0.0.1',
      port,
    ),
  ).rejects.toThrow('EADDRINUSE');
  await closeGracefully(server);
});
