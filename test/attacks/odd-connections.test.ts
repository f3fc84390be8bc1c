/** Stops: a connection that is slow, half closed, or says many things at once, and by that harms anybody else. */
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type FuzzedGateway, startFuzzedGateway } from '../support/fuzzed-gateway.ts';
import { type Holder, mintTokens } from '../support/minted-tokens.ts';
import { callMcp } from '../support/oauth-client.ts';
import { streamMethod } from '../support/raw-backend.ts';
import { converse, statusesOf } from '../support/raw-socket.ts';

let gateway: FuzzedGateway;
let anna: Holder;
let ben: Holder;

beforeAll(async () => {
  gateway = await startFuzzedGateway();
  [anna, ben] = (await mintTokens(gateway.product, 2)) as [Holder, Holder];
});
afterAll(() => gateway.close());
afterEach(() => {
  expect(gateway.backend.faults.splice(0)).toEqual([]);
  expect(gateway.product.logLines.filter((line) => line.includes('request failed'))).toEqual([]);
  gateway.backend.arrived.splice(0);
});

const messageOf = (id: number, method = 'ping') => JSON.stringify({ jsonrpc: '2.0', id, method });

function post(message: string, token: string | undefined, more: readonly string[] = []): string {
  const head = [
    `POST ${gateway.target.path} HTTP/1.1`,
    `Host: ${gateway.target.host}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    'Content-Type: application/json',
    `Content-Length: ${message.length}`,
    ...more,
  ];
  return `${head.join('\r\n')}\r\n\r\n${message}`;
}

/** The bodies of the answers, in the order in which they came. */
function bodiesOf(received: string): { id: unknown; result?: { plain: string } }[] {
  return received
    .split(/HTTP\/1\.1 \d{3} /)
    .slice(1)
    .map((part) => JSON.parse(part.slice(part.indexOf('\r\n\r\n') + 4)) as never);
}

test('A22: a hundred requests in one packet are answered one by one, in their order', async () => {
  const ids = Array.from({ length: 100 }, (_each, index) => index + 1);
  const last = post(messageOf(101), anna.token, ['Connection: close']);
  const bytes = ids.map((id) => post(messageOf(id), anna.token)).join('') + last;
  const { received, isBound } = await converse(gateway.product.url, [bytes], { boundMs: 20_000 });
  expect(isBound).toBe(false);
  expect(bodiesOf(received).map(({ id }) => id)).toEqual([...ids, 101]);
});

test('A12 A53: on one connection each request is judged by its own token, whatever the one before had', async () => {
  const tokens = [anna.token, undefined, ben.token, 'x', anna.token, undefined];
  const bytes = tokens
    .map((token, index) =>
      post(messageOf(index), token, index === tokens.length - 1 ? ['Connection: close'] : []),
    )
    .join('');
  const { received } = await converse(gateway.product.url, [bytes]);
  expect(statusesOf(received)).toEqual([200, 401, 200, 401, 200, 401]);
  const people = bodiesOf(received).map(({ result }) => result?.plain);
  expect(people).toEqual([anna.person, undefined, ben.person, undefined, anna.person, undefined]);
  expect(gateway.backend.arrived).toHaveLength(3);
});

test('A53: what is sent before the answer to a refused request is no request of its own', async () => {
  const rest = post(messageOf(2, 'smuggled'), undefined);
  const refused = post(messageOf(1), anna.token, ['Content-Encoding: gzip', 'Connection: close']);
  const { received } = await converse(gateway.product.url, [refused + rest, rest]);
  expect(statusesOf(received)).toEqual([415]);
  expect(gateway.backend.arrived).toHaveLength(0);
});

test('A54: a client that closes its side has gone: its stream ends, and the backend is free', async () => {
  const socket = await open();
  const firstEvent = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      if (chunk.includes('data: ')) resolve();
    });
  });
  socket.write(post(messageOf(1, streamMethod), anna.token));
  await firstEvent;
  expect(gateway.backend.streaming()).toBe(1);
  socket.end();
  await expect.poll(gateway.backend.streaming).toBe(0);
  socket.destroy();
});

test('A22: a client that hangs up at any byte of its request harms nobody', async () => {
  const bytes = post(messageOf(1), anna.token);
  const cuts = Array.from({ length: bytes.length }, (_each, index) => index);
  for (let at = 0; at < cuts.length; at += 50) {
    const some = cuts.slice(at, at + 50);
    await Promise.all(
      some.map((cut) => converse(gateway.product.url, [bytes.slice(0, cut)], { hangsUp: true })),
    );
  }
  expect(gateway.backend.arrived).toHaveLength(0);
  expect((await callMcp(gateway.product.mcpUrl, anna.token, 'ping')).status).toBe(200);
});

test('A22: two hundred requests that are not whole yet keep nobody waiting, and are answered once they are', async () => {
  const sockets = await Promise.all(Array.from({ length: 200 }, open));
  const bytes = sockets.map((_each, index) =>
    post(messageOf(index), index % 2 === 0 ? anna.token : ben.token),
  );
  const answers = sockets.map((socket) => firstAnswer(socket));
  // Some in the middle of the head, some in the middle of the body.
  const cutOf = (index: number) => (index % 3 === 0 ? (bytes[index]?.length ?? 0) - 5 : 20 + index);
  for (const [index, socket] of sockets.entries()) socket.write(bytes[index]?.slice(0, cutOf(index)) ?? '');
  for (let call = 0; call < 10; call += 1)
    expect((await callMcp(gateway.product.mcpUrl, anna.token, 'ping')).status).toBe(200);
  expect(gateway.backend.arrived).toHaveLength(10);
  for (const [index, socket] of sockets.entries()) socket.write(bytes[index]?.slice(cutOf(index)) ?? '');
  for (const [index, answer] of (await Promise.all(answers)).entries()) {
    expect(answer.id).toBe(index);
    expect(answer.result?.plain).toBe(index % 2 === 0 ? anna.person : ben.person);
  }
  for (const socket of sockets) socket.destroy();
});

function open(): Promise<Socket> {
  const { hostname, port } = new URL(gateway.product.url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true }, () =>
      resolve(socket),
    );
    socket.once('error', reject);
  });
}

function firstAnswer(socket: Socket): Promise<{ id: unknown; result?: { plain: string } }> {
  return new Promise((resolve) => {
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (received.includes('"echo":') && received.endsWith('}}'))
        resolve(bodiesOf(received)[0] ?? { id: undefined });
    });
  });
}
