/** Connections: whose they are when, in which order answers come, and how they end. */
import { IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { closeGracefully, createHttpServer } from '../http/server.ts';
import { openFastPath } from './fast-path.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Opened {
  readonly server: Server;
  /** `fast POST /mcp`, as they came. */
  readonly seen: string[];
  connect(): Client;
  /** Settles when the connection that was accepted last has brought so many bytes in all. */
  arrived(bytes: number): Promise<void>;
}

interface Client {
  readonly socket: Socket;
  received: string;
  readonly closed: Promise<void>;
}

async function open(
  listener: RequestListener,
  options: {
    readonly keepAliveTimeoutMs?: number;
    readonly headersTimeoutMs?: number;
    readonly firstRequestMs?: number;
    readonly unreadMs?: number;
  } = {},
): Promise<Opened> {
  const seen: string[] = [];
  const server = createHttpServer(
    (req, res) => {
      seen.push(`${req instanceof IncomingMessage ? 'slow' : 'fast'} ${req.method} ${req.url}`);
      listener(req, res);
    },
    { requestTimeoutMs: 10_000, ...options },
  );
  const { firstRequestMs, unreadMs } = options;
  openFastPath(server, {
    isServed: (path) => path === '/mcp',
    ...(firstRequestMs === undefined ? {} : { firstRequestMs }),
    ...(unreadMs === undefined ? {} : { unreadMs }),
  });
  const accepted: Socket[] = [];
  let dialled = 0;
  server.on('connection', (socket: Socket) => void accepted.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    server,
    seen,
    connect() {
      dialled += 1;
      return openClient((server.address() as AddressInfo).port);
    },
    arrived: (bytes) => until(() => (accepted[dialled - 1]?.bytesRead ?? 0) >= bytes),
  };
}

function openClient(port: number): Client {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  const client: Client = {
    socket,
    received: '',
    closed: new Promise((resolve) => {
      socket.on('close', () => resolve()).on('end', () => resolve());
    }),
  };
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    client.received += bytes.toString('latin1');
  });
  closers.push(() => void socket.destroy());
  return client;
}

const call = (name: string, lines: readonly string[] = []) =>
  `POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Name: ${name}\r\n${lines.map((line) => `${line}\r\n`).join('')}Content-Length: 2\r\n\r\n{}`;
const echo: RequestListener = (req, res) => {
  req.resume();
  res.end(`<${String(req.headers['x-name'])}>`);
};
const until = (what: () => boolean) => expect.poll(what, { timeout: 8000 }).toBe(true);
const names = (client: Client) => client.received.match(/<\w+>/g) ?? [];

test('one call after the other on one connection', async () => {
  const { seen, connect: dial } = await open(echo);
  const client = dial();
  for (const name of ['a', 'b', 'c']) {
    client.socket.write(call(name));
    await until(() => client.received.includes(`<${name}>`));
  }
  expect(seen).toEqual(Array.from({ length: 3 }, () => 'fast POST /mcp'));
});

test("what is of another shape is Node's, and so is the connection from then on", async () => {
  const { seen, connect: dial } = await open(echo);
  const client = dial();
  client.socket.write(call('a'));
  await until(() => names(client).length === 1);
  client.socket.write('GET /other HTTP/1.1\r\nHost: localhost\r\nX-Name: b\r\n\r\n');
  await until(() => names(client).length === 2);
  client.socket.write(call('c'));
  await until(() => names(client).length === 3);
  expect(seen).toEqual(['fast POST /mcp', 'slow GET /other', 'slow POST /mcp']);
  expect(names(client)).toEqual(['<a>', '<b>', '<c>']);
});

test("a call that comes in pieces is Node's, wherever it is cut", async () => {
  const { seen, connect: dial, arrived } = await open(echo);
  const bytes = call('piece');
  for (const at of [1, 4, 20, bytes.indexOf('\r\n\r\n') + 4, bytes.length - 1]) {
    const client = dial();
    client.socket.write(bytes.slice(0, at));
    await arrived(at);
    client.socket.write(bytes.slice(at));
    await until(() => names(client).length === 1);
  }
  expect(seen).toEqual(Array.from({ length: 5 }, () => 'slow POST /mcp'));
});

test('calls that are sent before the answer are answered in their order', async () => {
  const waiting: (() => void)[] = [];
  const { seen, connect: dial, arrived } = await open((req, res) => void waiting.push(() => echo(req, res)));
  const client = dial();
  client.socket.write(call('a'));
  await until(() => waiting.length === 1);
  client.socket.write(call('b'));
  await arrived(2 * call('a').length);
  client.socket.write('GET /other HTTP/1.1\r\nHost: localhost\r\nX-Name: c\r\n\r\n');
  expect(waiting, 'one at a time').toHaveLength(1);
  waiting[0]?.();
  await until(() => waiting.length > 1);
  waiting[1]?.();
  await until(() => waiting.length > 2);
  waiting[2]?.();
  await until(() => names(client).length === 3);
  expect(names(client)).toEqual(['<a>', '<b>', '<c>']);
  expect(seen[0]).toBe('fast POST /mcp');
  expect(seen.at(-1)).toBe('slow GET /other');
});

test('A53: two calls in one packet are two calls', async () => {
  const { connect: dial } = await open(echo);
  const client = dial();
  client.socket.write(call('a') + call('b'));
  await until(() => names(client).length === 2);
  expect(names(client)).toEqual(['<a>', '<b>']);
});

test('a client that leaves is noticed while it waits', async () => {
  let gone = 0;
  const { seen, connect: dial } = await open((_req, res) => {
    res.on('close', () => {
      if (!res.writableFinished) gone += 1;
    });
  });
  const reset = dial();
  reset.socket.write(call('a'));
  await until(() => seen.length === 1);
  reset.socket.destroy();
  await until(() => gone === 1);
  const halfClosed = dial();
  halfClosed.socket.write(call('b'));
  await until(() => seen.length === 2);
  halfClosed.socket.end();
  await until(() => gone === 2);
  await halfClosed.closed;
});

test('an event stream comes as it is written, and ends when it is cut', async () => {
  const opened: ServerResponse[] = [];
  const { seen, connect: dial } = await open((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.flushHeaders();
    opened.push(res);
  });
  const client = dial();
  client.socket.write(call('a'));
  await until(() => client.received.includes('\r\n\r\n'));
  opened[0]?.write('data: 1\n\n');
  await until(() => client.received.endsWith('9\r\ndata: 1\n\n\r\n'));
  opened[0]?.destroy();
  await client.closed;
  expect(client.received).not.toContain('0\r\n\r\n');
  expect(seen).toEqual(['fast POST /mcp']);
});

test('who does not read is not written to without end', async () => {
  let written = 0;
  const { connect: dial } = await open((_req, res) => {
    const write = () => {
      while (written < 200_000_000) {
        written += 65_536;
        if (!res.write(Buffer.alloc(65_536))) return;
      }
    };
    res.on('drain', write);
    write();
  });
  const client = dial();
  client.socket.write(call('a'));
  await until(() => client.received.length > 0);
  client.socket.pause();
  let before = -1;
  while (before !== written) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(written).toBeLessThan(100_000_000);
});

test('who reads slowly gets the whole answer, however long it takes, also when the server stops meanwhile', async () => {
  const much = 'x'.repeat(32 * 1024 * 1024);
  const {
    server,
    seen,
    connect: dial,
  } = await open((_req, res) => void res.end(much), { keepAliveTimeoutMs: 1000 });
  const client = dial();
  client.socket.pause();
  client.socket.write(call('a'));
  await until(() => seen.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  server.closeIdleConnections();
  client.socket.resume();
  await until(() => client.received.length > much.length);
});

test('who reads nothing at all of an answer is not waited for without end', async () => {
  const much = 'x'.repeat(32 * 1024 * 1024);
  const { server, seen, connect: dial } = await open((_req, res) => void res.end(much), { unreadMs: 300 });
  const client = dial();
  client.socket.pause();
  client.socket.write(call('a'));
  await until(() => seen.length === 1);
  const count = () =>
    new Promise<number>((resolve) => server.getConnections((_fault, number) => resolve(number)));
  await expect.poll(count, { timeout: 8000 }).toBe(0);
  client.socket.resume();
  await client.closed;
  expect(client.received.length).toBeLessThan(much.length);
});

test('a connection without a call is ended by Node, in its time', async () => {
  const { connect: dial } = await open(echo, { headersTimeoutMs: 500, firstRequestMs: 1000 });
  const client = dial();
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 408 /);
});

test('a connection that is not used any more is closed', async () => {
  const { connect: dial } = await open(echo, { keepAliveTimeoutMs: 1000 });
  const client = dial();
  client.socket.write(call('a'));
  await client.closed;
  expect(names(client)).toEqual(['<a>']);
});

test('a server that stops lets calls end, tells clients so, and closes the others at once', async () => {
  const waiting: (() => void)[] = [];
  const streams: ServerResponse[] = [];
  const {
    server,
    seen,
    connect: dial,
  } = await open((req, res) => {
    if (req.headers['x-name'] === 'stream') {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.flushHeaders();
      streams.push(res);
    } else waiting.push(() => echo(req, res));
  });
  const [idle, busy, streaming] = [dial(), dial(), dial()];
  idle.socket.write(call('idle'));
  await until(() => waiting.length === 1);
  waiting[0]?.();
  busy.socket.write(call('busy'));
  streaming.socket.write(call('stream'));
  await until(() => waiting.length === 2 && streams.length === 1 && names(idle).length === 1);
  const closing = closeGracefully(server, 5000);
  await Promise.all([idle.closed, streaming.closed]);
  waiting[1]?.();
  await Promise.all([busy.closed, closing]);
  expect(busy.received).toContain('\r\nConnection: close\r\n');
  expect(names(busy)).toEqual(['<busy>']);
  expect(seen.every((each) => each.startsWith('fast'))).toBe(true);
});

test('closing all connections closes these too', async () => {
  const { server, seen, connect: dial } = await open(() => {});
  const client = dial();
  client.socket.write(call('a'));
  await until(() => seen.length === 1);
  server.closeAllConnections();
  await client.closed;
});
