/**
 * Stops: a call that comes behind an answer which says that it is the last of its connection. Its own answer can never go
 * out, so its client will make it again (RFC 9112 §9.6: no further requests are processed). And a server that stops and
 * takes the connection for an idle one, since its last answer is written, but not read yet.
 */
import type { Server, ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { openFastPath } from '@valetkey/gateway/fast-path/fast-path';
import { closeGracefully, createHttpServer, listen } from '@valetkey/gateway/http/server';
import { afterEach, expect, test } from 'vitest';

const much = 'x'.repeat(16 * 1024 * 1024);
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const call = (name: string, path = '/mcp') =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nX-Name: ${name}\r\nContent-Length: 2\r\n\r\n{}`;

/** The answer to a call is written, and the last of its connection, since the server stops: its client reads nothing yet. */
async function openStopping(stop: (server: Server) => Promise<void>, first = call('first')) {
  const made: string[] = [];
  const answers: ServerResponse[] = [];
  const accepted: Socket[] = [];
  const server = createHttpServer(
    (req, res) => {
      made.push(`${'wholeBody' in req ? 'fast' : 'slow'} ${String(req.headers['x-name'])}`);
      answers.push(res);
    },
    { requestTimeoutMs: 10_000 },
  );
  openFastPath(server, { isServed: (path) => path === '/mcp' });
  server.on('connection', (each: Socket) => void accepted.push(each));
  await listen(server, '127.0.0.1', 0);
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  closers.push(
    () => server.closeAllConnections(),
    () => socket.destroy(),
  );
  socket.pause();
  socket.write(first);
  await expect.poll(() => made).toHaveLength(1);
  const [answer] = answers;
  const [accept] = accepted;
  if (answer === undefined || accept === undefined) throw new Error('no call');
  answer.shouldKeepAlive = false;
  const stopped = stop(server);
  answer.end(much);
  await expect.poll(() => accept.writableLength).toBeGreaterThan(0);
  return { socket, made, stopped, arrived: () => accept.bytesRead };
}

/** Looks for idle connections once. */
const stopOnce = (server: Server) => new Promise<void>((resolve) => server.close(() => resolve()));
/** Looks for them every moment. */
const stopGracefully = (server: Server) => closeGracefully(server, 20_000);

function readAll(socket: Socket): Promise<string> {
  let received = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text;
  });
  socket.resume();
  return new Promise((resolve) => socket.once('close', () => resolve(received)));
}

test.each([
  ['a call', call('second')],
  ["a request of another shape, which is Node's to read", call('second', '/other')],
])('A53: %s behind the last answer of a connection is not made', async (_what, bytes) => {
  const { socket, made, stopped, arrived } = await openStopping(stopOnce);
  socket.write(bytes);
  await expect.poll(arrived).toBe(call('first').length + bytes.length);
  const received = await readAll(socket);
  expect(made).toEqual(['fast first']);
  expect(received.length).toBeGreaterThan(much.length);
  await stopped;
});

test.each([
  ['the fast path', '/mcp', 'fast first'],
  ['Node', '/other', 'slow first'],
])(
  'A22: a server that stops waits for its last answer to be read, which %s has written',
  async (_who, path, by) => {
    const { socket, made, stopped } = await openStopping(stopGracefully, call('first', path));
    // Several times as long as it takes to look for idle connections again.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const received = await readAll(socket);
    expect(received).toContain('Connection: close\r\n');
    expect(received.length).toBeGreaterThan(much.length);
    expect(made).toEqual([by]);
    await stopped;
  },
);
