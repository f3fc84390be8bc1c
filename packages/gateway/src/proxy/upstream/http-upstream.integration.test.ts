import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { openHttpUpstream } from './http-upstream.ts';
import type { Answer, Upstream, UpstreamRequest } from './upstream.ts';

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function listen(server: Server): Promise<Upstream> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upstream = openHttpUpstream(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    connectMs: 5000,
  });
  closers.push(
    () => void server.close(),
    () => upstream.close(),
  );
  return upstream;
}

/** A backend that says exactly this, once the whole head of a request has come. */
function openRaw(
  answer: (socket: Socket, request: string) => void,
): Promise<Upstream & { connections: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    let request = '';
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      request += bytes.toString('latin1');
      if (!request.includes('\r\n\r\n')) return;
      const whole = request;
      request = '';
      answer(socket, whole);
    });
  });
  return listen(server).then((upstream) => ({ ...upstream, connections: () => connections }));
}

const openHttp = (listener: RequestListener) => listen(createHttpServer(listener));

const get: UpstreamRequest = {
  method: 'GET',
  path: '/',
  headers: { passed: [], also: [], own: [] },
  body: undefined,
  firstByteMs: 5000,
};
const ask = (upstream: Upstream, changes: Partial<UpstreamRequest> = {}) =>
  upstream.ask({ ...get, ...changes }).answer;
const codeOf = (answer: Promise<Answer>) =>
  answer.then(
    () => 'answered',
    (fault: { code: string }) => fault.code,
  );

test('a small answer comes whole, and can be read as a stream too', async () => {
  const upstream = await openHttp(
    (req, res) => void text(req).then((body) => res.end(`${req.method} ${req.url} ${body}`)),
  );
  const answer = await ask(upstream, { method: 'POST', path: '/mcp?a', body: Buffer.from('hello') });
  expect(answer.statusCode).toBe(200);
  expect(Buffer.from(answer.whole ?? []).toString()).toBe('POST /mcp?a hello');
  expect(await text(answer.body)).toBe('POST /mcp?a hello');
});

test('large bodies go both ways whole', async () => {
  const large = 'ab'.repeat(3_000_000);
  const upstream = await openHttp((req, res) => void text(req).then((body) => res.end(body)));
  const answer = await ask(upstream, { method: 'POST', body: Buffer.from(large) });
  expect((await text(answer.body)) === large).toBe(true);
});

test('a backend that is quicker than its reader is held back', async () => {
  let written = 0;
  const upstream = await openHttp((_req, res) => {
    const write = () => {
      while (written < 200_000_000) {
        written += 65_536;
        if (!res.write(Buffer.alloc(65_536))) return;
      }
    };
    res.on('drain', write);
    write();
  });
  const answer = await ask(upstream);
  await new Promise((resolve) => answer.body.once('readable', resolve));
  // Until nothing is written any more: what fits into the buffers on the way.
  let before = -1;
  while (before !== written) {
    before = written;
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(written).toBeLessThan(100_000_000);
  answer.body.destroy();
});

test('one connection serves one request after the other, and as many as there are requests at a time', async () => {
  const upstream = await openRaw((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  for (let count = 0; count < 5; count += 1) expect((await ask(upstream)).statusCode).toBe(200);
  expect(upstream.connections()).toBe(1);
  await Promise.all([ask(upstream), ask(upstream), ask(upstream)]);
  expect(upstream.connections()).toBe(3);
});

test.each([
  ['closes by saying so', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
  ['will close at once', 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok'],
  ['speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
])('a connection is not used again where the backend %s', async (_what, bytes) => {
  const upstream = await openRaw((socket) => socket.write(bytes));
  await ask(upstream);
  await ask(upstream);
  expect(upstream.connections()).toBe(2);
});

test('an answer may end with the connection', async () => {
  const upstream = await openRaw((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'));
  expect(await text((await ask(upstream)).body)).toBe('all of it');
});

test('a body that breaks off is no body', async () => {
  const upstream = await openRaw((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
    setImmediate(() => socket.end());
  });
  const answer = await ask(upstream);
  expect(answer.whole).toBeUndefined();
  await expect(text(answer.body)).rejects.toMatchObject({ code: 'closed_early' });
});

test('A53: a second answer is never given to the next request', async () => {
  const one = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n';
  const together = await openRaw((socket) => socket.write(`${one}1${one}2`));
  expect(await codeOf(ask(together))).toBe('bad_answer');
  const later = await openRaw((socket) => {
    socket.write(`${one}1`);
    setTimeout(() => socket.write(`${one}2`), 20);
  });
  expect(Buffer.from((await ask(later)).whole ?? []).toString()).toBe('1');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(Buffer.from((await ask(later)).whole ?? []).toString()).toBe('1');
  expect(later.connections()).toBe(2);
});

test('what is no HTTP is a fault', async () => {
  const upstream = await openRaw((socket) => socket.write('SSH-2.0-OpenSSH\r\n\r\n'));
  expect(await codeOf(ask(upstream))).toBe('bad_answer');
});

test('a connection that ends without a word is a fault', async () => {
  const upstream = await openRaw((socket) => socket.end());
  expect(await codeOf(ask(upstream))).toBe('closed_early');
});

test('nobody there is a fault, with the reason of the system', async () => {
  const upstream = await openRaw(() => {});
  for (const close of closers.splice(0)) await close();
  expect(await codeOf(ask(upstream))).toBe('gave_up');
  const nobody = openHttpUpstream('http://127.0.0.1:1', { connectMs: 5000 });
  expect(await codeOf(ask(nobody))).toBe('ECONNREFUSED');
  await nobody.close();
});

test('a first byte that is late is a fault; a stream that has begun may be silent', async () => {
  const silent = await openRaw(() => {});
  expect(await codeOf(ask(silent, { firstByteMs: 20 }))).toBe('timeout');
  const begun = await openRaw((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
    setTimeout(() => socket.write('cd'), 100);
  });
  expect(await text((await ask(begun, { firstByteMs: 20 })).body)).toBe('abcd');
});

test('giving up closes the connection of this request, and never that of a later one', async () => {
  let closed = 0;
  const arrived = Promise.withResolvers<void>();
  const waiting = await openRaw((socket) => {
    socket.on('close', () => (closed += 1));
    arrived.resolve();
  });
  const asking = waiting.ask(get);
  await arrived.promise;
  asking.giveUp();
  expect(await codeOf(asking.answer)).toBe('gave_up');
  await expect.poll(() => closed).toBe(1);

  const upstream = await openRaw((socket, request) => {
    if (request.startsWith('GET /slow'))
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2'), 50);
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1');
  });
  const first = upstream.ask(get);
  await first.answer;
  const second = upstream.ask({ ...get, path: '/slow' });
  first.giveUp();
  expect((await second.answer).statusCode).toBe(200);
  expect(upstream.connections()).toBe(1);
});

test('a stream that nobody wants any more ends at the backend', async () => {
  let closed = 0;
  const upstream = await openHttp((_req, res) => {
    res.on('close', () => (closed += 1));
    res.write('data: 1\n\n');
  });
  const answer = await ask(upstream);
  await new Promise((resolve) => answer.body.once('data', resolve));
  answer.body.destroy();
  await expect.poll(() => closed).toBe(1);
});

test('closing ends what is under way', async () => {
  const upstream = await openRaw(() => {});
  const answer = ask(upstream);
  await upstream.close();
  expect(await codeOf(answer)).toBe('gave_up');
});
