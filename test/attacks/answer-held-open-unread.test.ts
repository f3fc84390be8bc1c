/**
 * Stops: a client that asks for much, takes nothing of it and stays, and so holds a place at the backend for ever; whoever
 * reads the request (the fast path, or Node), and whether the answer comes in pieces or as a whole.
 */
import type { ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { openFastPath } from '@valetkey/gateway/fast-path/fast-path';
import { createHttpServer, listen } from '@valetkey/gateway/http/server';
import { afterEach, expect, test } from 'vitest';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** More than the buffers of two sockets take. */
const much = 32 * 1024 * 1024;
const piece = Buffer.alloc(64 * 1024, 'x');

type Answer = (res: ServerResponse) => void;
const asWhole: Answer = (res) => void res.end('x'.repeat(much));
const inPieces: Answer = (res) => {
  let written = 0;
  const write = () => {
    while (written < much) {
      written += piece.length;
      if (!res.write(piece)) return;
    }
    res.end();
  };
  res.on('drain', write);
  write();
};

async function ask(answer: Answer, lines: readonly string[], unreadMs: number) {
  const state = { isFast: false, isOver: false };
  const server = createHttpServer(
    (req, res) => {
      state.isFast = 'wholeBody' in req;
      req.resume();
      req.socket.once('close', () => {
        state.isOver = true;
      });
      answer(res);
    },
    { requestTimeoutMs: 10_000 },
  );
  openFastPath(server, { isServed: (path) => path === '/mcp', unreadMs });
  await listen(server, '127.0.0.1', 0);
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {}).pause();
  const head = ['POST /mcp HTTP/1.1', 'Host: localhost', 'X-Padding: of-the-test', ...lines];
  socket.write(`${head.join('\r\n')}\r\nContent-Length: 2\r\n\r\n{}`);
  closers.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => server.closeAllConnections(),
    () => socket.destroy(),
  );
  return { socket, state };
}

const ofNode = ['Connection: close'];
const ways: [what: string, answer: Answer, lines: readonly string[]][] = [
  ['a whole answer of the fast path', asWhole, []],
  ['one in pieces', inPieces, []],
  ["a whole answer of Node's", asWhole, ofNode],
  ["one of Node's in pieces", inPieces, ofNode],
];

test.each(ways)('A22 A54: who takes nothing of %s gets no more', async (_what, answer, lines) => {
  const { state } = await ask(answer, lines, 300);
  await expect.poll(() => state.isOver, { timeout: 10_000 }).toBe(true);
  expect(state.isFast).toBe(lines !== ofNode);
});

test('who takes it slowly gets all of it', async () => {
  const sizes = await Promise.all(
    ways.map(async ([, answer, lines]) => readSlowly((await ask(answer, lines, 3000)).socket)),
  );
  for (const size of sizes) expect(size).toBeGreaterThan(much);
});

/** Longer in all than nothing may be taken, and never that long at once. */
async function readSlowly(socket: Socket): Promise<number> {
  let size = 0;
  const isWhole = new Promise<void>((resolve) => {
    socket.on('data', (bytes: Buffer) => {
      size += bytes.length;
      if (size > much) resolve();
    });
    socket.once('close', () => resolve());
  });
  for (let round = 0; round < 9; round += 1) {
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.resume();
    await new Promise((resolve) => socket.once('data', resolve));
  }
  await isWhole;
  return size;
}
