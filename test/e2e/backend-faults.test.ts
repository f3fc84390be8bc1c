/**
 * Backends and clients that fail in the middle of things: what the other side sees, and that nothing piles up between
 * them. Each line of "When a backend or a client fails" in docs/guide/backends.md has its test here.
 */
import { type IncomingMessage, request } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

/** Called with each request as soon as its head is there. */
type Behaviour = (socket: Socket) => void;

const firstByteMs = 400;
const requestTimeoutMs = 1000;
const body = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: [] } });
const headOf = (type: string, length?: number) =>
  `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${length === undefined ? 'transfer-encoding: chunked' : `content-length: ${length}`}\r\n\r\n`;
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const answer: Behaviour = (socket) => void socket.write(headOf('application/json', body.length) + body);

let server: Server;
let port = 0;
const tokens = new Map<string, string>();
let behaviour: Behaviour = answer;
const sockets = new Set<Socket>();
let product: Product;

function listen(on: number): Promise<void> {
  server = createServer((socket) => {
    sockets.add(socket);
    let received = '';
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.on('data', (data) => {
      received += data.toString('latin1');
      if (!received.includes('\r\n\r\n')) return;
      received = '';
      behaviour(socket);
    });
  });
  return new Promise((resolve) => server.listen(on, '127.0.0.1', resolve));
}

function stop(): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
}

beforeAll(async () => {
  await listen(0);
  ({ port } = server.address() as AddressInfo);
  const backend = {
    upstream: `http://127.0.0.1:${port}/mcp`,
    scopes: { use: 'Use it' },
    circuit: { failures: 0 },
  };
  const timeouts = { connectMs: 1000, firstByteMs };
  product = await startProduct({
    config: { limits: { requestTimeoutMs } },
    backends: () => ({
      plain: { ...backend, path: '/plain/mcp', timeouts },
      // Some rule, so that lists and streams pass through the filter.
      filtered: {
        ...backend,
        path: '/filtered/mcp',
        timeouts,
        tools: { x: { anyRole: ['Snippets.Writer'] } },
      },
    }),
  });
  for (const name of ['plain', 'filtered'] as const) {
    const wanted = { resource: urlOf(name), scope: 'use' };
    tokens.set(name, (await obtainTokens(product, product.people.reader, wanted)).accessToken);
  }
});
/** Whatever happened, the next call is answered. */
afterEach(async () => {
  behaviour = answer;
  expect((await call()).status).toBe(200);
  expect(product.logLines.filter((line) => line.includes('request failed'))).toEqual([]);
});
afterAll(async () => {
  await product.close();
  await stop();
});

const urlOf = (name: 'plain' | 'filtered') => `${product.url}/${name}/mcp`;
const call = (name: 'plain' | 'filtered' = 'plain') => callMcp(urlOf(name), tokens.get(name), 'tools/list');

/** As a process that is killed ends its connections, in either way that the system chooses. */
const deaths: readonly [how: string, die: (socket: Socket) => void][] = [
  ['closing the connection', (socket) => socket.destroy()],
  ['resetting the connection', (socket) => void socket.resetAndDestroy()],
];

/** What was sent before; after all of it the connection dies. */
const halves: readonly [when: string, sent: string][] = [
  ['before it answers', ''],
  ['in the middle of a header', 'HTTP/1.1 200 OK\r\ncontent-ty'],
];

for (const [how, die] of deaths) {
  const dieAfter = (sent: string): Behaviour => {
    return (socket) => void (sent === '' ? die(socket) : socket.write(sent, () => die(socket)));
  };

  test.each(halves)(`a backend that dies %s, ${how}: 502, and the request's id`, async (_when, sent) => {
    behaviour = dieAfter(sent);
    const response = await call();
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: 1, error: { code: 502 } });
  });

  test.each([
    ['JSON of a known length', headOf('application/json', body.length) + body.slice(0, 9)],
    ['JSON in chunks', headOf('application/json') + chunk(body.slice(0, 9))],
    ['an event stream', headOf('text/event-stream') + chunk('data: {"jsonrpc":"2.0","id":1,"resu')],
  ])(
    `a backend that dies in the middle of %s, ${how}: half an answer never looks whole`,
    async (_what, sent) => {
      behaviour = dieAfter(sent);
      await expect(call().then((response) => response.text())).rejects.toThrow(/terminated|fetch failed/);
      const lost = async () => (await product.readAudit()).at(-1);
      await expect.poll(lost).toMatchObject({ event: 'mcp.call', outcome: 'error' });
    },
  );

  test(`a backend that dies in the middle of a list that is filtered, ${how}: 502, for nothing was sent yet`, async () => {
    behaviour = dieAfter(headOf('application/json', body.length) + body.slice(0, 9));
    expect((await call('filtered')).status).toBe(502);
  });
}

test('a backend that was restarted is found again by the next call, over new connections', async () => {
  await Promise.all(Array.from({ length: 10 }, () => call()));
  await stop();
  expect((await call()).status).toBe(502);
  await listen(port);
  const again = await Promise.all(Array.from({ length: 10 }, () => call()));
  expect(again.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
});

test('a backend that hangs before its answer: 504 when the time for the first byte is over', async () => {
  behaviour = () => {};
  expect((await call()).status).toBe(504);
});

test('A54: a backend that writes one byte now and then is never late, however long it takes', async () => {
  const event = 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n';
  behaviour = (socket) => {
    socket.write(headOf('text/event-stream'));
    let at = 0;
    const timer = setInterval(
      () => {
        const byte = event[at] ?? '';
        at += 1;
        socket.write(byte === '' ? '0\r\n\r\n' : chunk(byte));
        if (byte === '') clearInterval(timer);
      },
      (2 * firstByteMs) / event.length,
    );
  };
  expect(await (await call()).text()).toBe(event);
});

test('A22: a client that sends its body too slowly hears 408, and no backend hears of it', async () => {
  let isAsked = false;
  behaviour = () => {
    isAsked = true;
  };
  const headers = {
    authorization: `Bearer ${tokens.get('plain')}`,
    'content-type': 'application/json',
    'content-length': 1000,
  };
  const slow = request(urlOf('plain'), { method: 'POST', headers });
  const dribble = setInterval(() => slow.write(' '), 50);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    slow.on('response', resolve).on('error', reject);
    slow.flushHeaders();
  });
  clearInterval(dribble);
  expect([response.statusCode, isAsked]).toEqual([408, false]);
  slow.on('error', () => {}).destroy();
});

test('A54: a backend that reads nothing keeps a large request waiting, and nobody else', async () => {
  behaviour = (socket) => void socket.pause();
  const pad = { pad: 'x'.repeat(3 * 1024 * 1024) };
  const stuck = Array.from({ length: 10 }, () => callMcp(urlOf('plain'), tokens.get('plain'), 'ping', pad));
  const statuses = await Promise.all(stuck.map(async (each) => (await each).status));
  expect(new Set(statuses)).toEqual(new Set([504]));
});

/** After two collections: the memory of a buffer is freed behind the buffer. */
async function usedBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  for (let round = 0; round < 2; round += 1) {
    (runInNewContext('gc') as () => void)();
    await setImmediate();
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

/** Opens a stream and reads nothing of it. */
function openUnread(name: 'plain' | 'filtered'): Promise<IncomingMessage> {
  const headers = {
    authorization: `Bearer ${tokens.get(name)}`,
    accept: 'text/event-stream',
  };
  return new Promise((resolve, reject) => {
    const asked = request(urlOf(name), { headers, agent: false });
    asked.on('response', (response) => resolve(response.pause())).on('error', reject);
    asked.end();
  });
}

const readers = 40;
/** Measured: 1.3 MB, the buffers of client, gateway and backend, all of which are this process. */
const perReaderBytes = 3 * 1024 * 1024;

test.each(['plain', 'filtered'] as const)(
  'A54: clients that do not read stop the backend: memory stays, others are served, and leaving frees it: %s',
  async (name) => {
    const event = chunk(
      `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'x', params: { pad: 'x'.repeat(64 * 1024) } })}\n\n`,
    );
    let written = 0;
    const streaming = new Set<Socket>();
    behaviour = (socket) => {
      streaming.add(socket);
      socket.once('close', () => streaming.delete(socket));
      const push = () => {
        while (!socket.destroyed) {
          written += event.length;
          if (!socket.write(event)) return void socket.once('drain', push);
        }
      };
      socket.write(headOf('text/event-stream'), push);
    };
    const before = await usedBytes();
    const responses = await Promise.all(Array.from({ length: readers }, () => openUnread(name)));
    // Everything stands still once the buffers of the system are full.
    let last = -1;
    const isStill = () => {
      const was = last;
      last = written;
      return was === written;
    };
    await expect.poll(isStill, { interval: 300, timeout: 30_000 }).toBe(true);
    expect(written).toBeGreaterThan(readers * event.length);
    expect((await usedBytes()) - before).toBeLessThan(readers * perReaderBytes);

    behaviour = answer;
    for (let index = 0; index < 10; index += 1) expect((await call()).status).toBe(200);
    for (const response of responses) response.destroy();
    await expect.poll(() => streaming.size).toBe(0);
  },
);
