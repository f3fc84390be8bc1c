/** The answer beside Node's own: whatever is done to both, the same bytes come. */
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpServer } from '../http/server.ts';
import { openFastPath } from './fast-path.ts';

type Work = (res: ServerResponse) => void;

let work: Work = (res) => void res.end();
const listener = (_req: unknown, res: ServerResponse) => work(res);
const servers = [
  createHttpServer(listener, { requestTimeoutMs: 5000 }),
  createHttpServer(listener, { requestTimeoutMs: 5000 }),
];

beforeAll(async () => {
  const [fast] = servers;
  if (fast !== undefined) openFastPath(fast, { isServed: () => true });
  for (const server of servers) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

/** @returns all that comes until the other side closes; `Connection: close` would be no request for the fast path. */
function ask(server: ReturnType<typeof createServer>): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const { port } = server.address() as AddressInfo;
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write(
      'POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Filler: xxxxxxxxxxxxxxxxxxx\r\nContent-Length: 2\r\n\r\n{}',
    );
    const done = () => resolve(received.replace(/\r\nDate: [^\r]*/, ''));
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
      if (isWhole(received)) socket.destroy();
    });
    socket.on('close', done).on('error', done);
  });
}

function isWhole(received: string): boolean {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1 || /\r\nConnection: close\r\n/.test(received.slice(0, end + 2))) return false;
  const length = /\r\nContent-Length: (\d+)\r\n/i.exec(received.slice(0, end + 2))?.[1];
  if (length !== undefined) return received.length >= end + 4 + Number(length);
  return /^HTTP\/1\.1 (?:204|304) /.test(received) || received.endsWith('0\r\n\r\n');
}

async function both(what: Work): Promise<[fast: string, node: string]> {
  work = what;
  const answers: string[] = [];
  for (const server of servers) answers.push(await ask(server));
  return [answers[0] ?? '', answers[1] ?? ''];
}

const cases: [what: string, work: Work][] = [
  ['an empty answer', (res) => void res.end()],
  ['text', (res) => void res.end('hello é')],
  ['bytes', (res) => void res.end(Buffer.from([0, 200, 255]))],
  ['latin1', (res) => void res.end('é', 'latin1')],
  ['a status', (res) => void res.writeHead(404).end('no')],
  ['no content', (res) => void res.writeHead(204).end()],
  ['not modified', (res) => void res.writeHead(304, { ETag: '"a"' }).end()],
  ['a length told', (res) => void res.writeHead(200, { 'content-length': 2 }).end('ok')],
  [
    'headers of both kinds',
    (res) =>
      void res
        .setHeader('X-A', '1')
        .writeHead(200, { 'x-a': '2', 'X-B': ['3', '4'] })
        .end('ok'),
  ],
  [
    'headers that cannot change',
    (res) =>
      void res
        .setHeader('X-A', '1')
        .writeHead(200, Object.freeze({ 'x-b': '2', 'X-C': ['3', '4'], 'content-length': 2 }))
        .end('ok'),
  ],
  [
    'headers that cannot change, of which one was set before',
    (res) =>
      void res
        .setHeader('X-A', '1')
        .writeHead(200, Object.freeze({ 'x-a': '2', Date: 'now' }))
        .end('ok'),
  ],
  [
    'a header taken back',
    (res) => {
      res.setHeader('X-A', '1');
      res.removeHeader('x-A');
      res.end('ok');
    },
  ],
  ['a date of its own', (res) => void res.setHeader('Date', 'today').end('ok')],
  [
    'an end told',
    (res) => {
      res.shouldKeepAlive = false;
      res.end('ok');
    },
  ],
  [
    'pieces',
    (res) => {
      res.write('one');
      res.write(Buffer.from('two'));
      res.end('three');
    },
  ],
  [
    'pieces with a length',
    (res) => {
      res.writeHead(200, { 'Content-Length': 6 });
      res.write('one');
      res.end('two');
    },
  ],
  [
    'a head, then pieces',
    (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.flushHeaders();
      setTimeout(() => {
        res.write('data: 1\n\n');
        res.end();
      }, 5);
    },
  ],
  [
    'a head, then the end',
    (res) => {
      res.flushHeaders();
      setTimeout(() => res.end(), 5);
    },
  ],
  [
    'an empty piece',
    (res) => {
      res.write('');
      res.write('a');
      res.end('');
    },
  ],
  [
    'pieces and an end told',
    (res) => {
      res.shouldKeepAlive = false;
      res.write('a');
      res.end();
    },
  ],
  [
    'an answer broken off',
    (res) => {
      res.writeHead(200, { 'content-length': 9 });
      res.write('half');
      setTimeout(() => res.destroy(), 20);
    },
  ],
  ['no answer', (res) => void res.destroy()],
];

test.each(cases)('%s: as Node writes it', async (_what, each) => {
  const [fast, node] = await both(each);
  expect(fast).toBe(node);
});

test.each([
  ['a line feed in a value', (res: ServerResponse) => void res.setHeader('X-A', 'a\nb')],
  ['a line end in a list', (res: ServerResponse) => void res.setHeader('X-A', ['a', 'b\r\nX-C: d'])],
  ['a letter that is no byte', (res: ServerResponse) => void res.setHeader('X-A', 'Ā')],
  [
    'a line feed in what cannot change',
    (res: ServerResponse) => void res.writeHead(200, Object.freeze({ 'X-A': 'a\nb' })),
  ],
  ['a name with a blank', (res: ServerResponse) => void res.setHeader('X A', 'a')],
  ['an empty name', (res: ServerResponse) => void res.setHeader('', 'a')],
  ['a header after the head', (res: ServerResponse) => void res.writeHead(200).setHeader('X-A', 'a')],
  ['a second head', (res: ServerResponse) => void res.writeHead(200).writeHead(200)],
])('A53: %s throws, as with Node', async (_what, each) => {
  const [fast, node] = await both((res) => {
    let text = 'nothing was thrown';
    try {
      each(res);
    } catch {
      text = 'thrown';
    }
    res.end(text);
  });
  expect(fast).toBe(node);
  expect(fast).toMatch(/\bthrown$|\r\nthrown\r\n0\r\n\r\n$/);
});

const value = fc
  .string({ unit: fc.constantFrom('a', ' ', '1', ':', ','), minLength: 1, maxLength: 8 })
  .map((text) => `x${text}x`);
const name = fc.constantFrom('X-A', 'x-a', 'X-B', 'content-type', 'Cache-Control');
const step = fc.oneof(
  fc.tuple(fc.constant('set'), name, value),
  fc.tuple(fc.constant('remove'), name, value),
  fc.tuple(fc.constant('write'), name, value),
);

test('whatever headers are set and taken back, and in whatever pieces a body comes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 8 }),
      fc.constantFrom(200, 201, 403, 500),
      fc.boolean(),
      async (steps, status, closes) => {
        const [fast, node] = await both((res) => {
          if (closes) res.shouldKeepAlive = false;
          res.statusCode = status;
          for (const [what, each, text] of steps) {
            if (what === 'write') res.write(text);
            else if (res.headersSent) continue;
            else if (what === 'set') res.setHeader(each, text);
            else res.removeHeader(each);
          }
          res.end('the end');
        });
        expect(dechunk(fast)).toBe(dechunk(node));
      },
    ),
    { numRuns: 60 },
  );
});

/** In how many chunks a body comes is nobody's business. */
function dechunk(received: string): string {
  const end = received.indexOf('\r\n\r\n');
  if (!/\r\nTransfer-Encoding: chunked/.test(received.slice(0, end))) return received;
  return received.slice(0, end) + received.slice(end + 4).replaceAll(/[\da-f]+\r\n([\s\S]*?)\r\n/g, '$1');
}
