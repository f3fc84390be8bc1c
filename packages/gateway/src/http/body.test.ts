import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { findField, parseForm, parseJson, readBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import { closeGracefully, createHttpServer, listen } from './server.ts';

function openBody(headers: Record<string, string> = {}) {
  const req = Object.assign(new PassThrough(), { headers, complete: false });
  const res = { shouldKeepAlive: true };
  return { req, res, exchange: { req, res } as unknown as Exchange };
}

const bytes = (content: string) => new TextEncoder().encode(content);

test('a body within the limit is read whole', async () => {
  const { req, exchange } = openBody();
  req.write('abc');
  req.end('def');
  const result = await readBody(exchange, 6);
  expect(result.ok && Buffer.from(result.value).toString()).toBe('abcdef');
});

test('a body over the limit is refused as it arrives, and the connection will close', async () => {
  const { req, res, exchange } = openBody();
  req.write('abcdefg');
  expect(await readBody(exchange, 6)).toEqual({ ok: false, error: 'too-large' });
  expect(res.shouldKeepAlive).toBe(false);
});

test('an announced size over the limit is refused without reading', async () => {
  const { exchange } = openBody({ 'content-length': '7' });
  expect(await readBody(exchange, 6)).toEqual({ ok: false, error: 'too-large' });
});

test('a client that sends too much without saying so still reads the answer', async () => {
  const server = createHttpServer(
    (req, res) => {
      const answer = async () => {
        const body = await readBody({ req, res } as unknown as Exchange, 1000);
        res.writeHead(body.ok ? 200 : 413).end(body.ok ? 'read' : body.error);
      };
      void answer();
    },
    { requestTimeoutMs: 5000 },
  );
  const { port } = await listen(server, '127.0.0.1', 0);
  const parts = Array.from({ length: 64 }, () => new Uint8Array(16_384));
  const req = request({ host: '127.0.0.1', port, method: 'POST' });
  Readable.from(parts).pipe(req);
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  expect([res.statusCode, res.headers.connection, await text(res)]).toEqual([413, 'close', 'too-large']);
  req.on('error', () => {}).destroy();
  await closeGracefully(server);
});

test('a client that goes away is told apart from one that is slow', async () => {
  const gone = openBody();
  gone.req.write('a');
  const reading = readBody(gone.exchange, 6);
  gone.req.destroy();
  expect(await reading).toEqual({ ok: false, error: 'aborted' });
  expect(await readBody(gone.exchange, 6)).toEqual({ ok: false, error: 'aborted' });
  expect(await readBody(openBody().exchange, 6, 1)).toEqual({ ok: false, error: 'timeout' });
});

test('duplicates of a form field are seen, and count as none', () => {
  const form = parseForm('application/x-www-form-urlencoded; charset=UTF-8', bytes('a=1&b=x+y%2B&a=2&c='));
  if (!form.ok) throw new Error(form.error);
  expect(form.value.get('a')).toEqual(['1', '2']);
  expect([findField(form.value, 'a'), findField(form.value, 'b'), findField(form.value, 'c')]).toEqual([
    undefined,
    'x y+',
    '',
  ]);
});

test.each([
  ['text/plain', 'a=1', 'wrong-content-type'],
  [undefined, 'a=1', 'wrong-content-type'],
  ['application/x-www-form-urlencoded', 'a=1&'.repeat(201), 'malformed'],
])('form of %s is refused', (contentType, body, error) => {
  expect(parseForm(contentType, bytes(body))).toEqual({ ok: false, error });
});

test.each([
  ['application/json', '{"a":1}', { ok: true, value: { a: 1 } }],
  ['application/problem+json; charset=utf-8', '[]', { ok: true, value: [] }],
  ['application/json', '{"a":', { ok: false, error: 'malformed' }],
  ['text/json-ish', '{}', { ok: false, error: 'wrong-content-type' }],
])('JSON of %s: %s', (contentType, body, expected) => {
  expect(parseJson(contentType, bytes(body))).toEqual(expected);
});

test('bytes that are not UTF-8 are malformed, not repaired', () => {
  expect(parseJson('application/json', Uint8Array.of(0x22, 0xff, 0x22))).toEqual({
    ok: false,
    error: 'malformed',
  });
});
