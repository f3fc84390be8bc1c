import { expect, test } from 'vitest';
import { createRequestReader } from './read-request.ts';

const open = () => createRequestReader((path) => path === '/mcp');
const read = (bytes: Buffer) => open()(bytes);
const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const usual = [
  'Host: localhost:1',
  'content-type: application/json',
  'X-A:1',
  `content-length: ${body.length}`,
];

function request(lines: readonly string[] = usual, text = body, line = 'POST /mcp HTTP/1.1'): Buffer {
  return Buffer.from(`${[line, ...lines].join('\r\n')}\r\n\r\n${text}`, 'latin1');
}

test('a call as clients send it is read whole', () => {
  const found = read(request());
  expect(found?.head.url).toBe('/mcp');
  expect(found?.head.rawHeaders).toEqual(
    [
      ['Host', 'localhost:1'],
      ['content-type', 'application/json'],
      ['X-A', '1'],
    ].flat(),
  );
  expect(found?.head.headers).toEqual({
    host: 'localhost:1',
    'content-type': 'application/json',
    'x-a': '1',
  });
  expect(found?.body.toString()).toBe(body);
});

test.each([
  ['keep-alive told', [...usual, 'Connection: keep-alive']],
  ['blanks inside of a value', [...usual, 'Accept: application/json, text/event-stream']],
  ['a colon in a value', [...usual, 'X-B: a:b::']],
])('%s is read', (_what, lines) => {
  expect(read(request(lines))).toBeDefined();
});

test('an empty body is one', () => {
  expect(read(request(['Host: h', 'Content-Length: 0', `X-A: ${'a'.repeat(40)}`], ''))?.body).toHaveLength(0);
});

const others: [what: string, bytes: Buffer][] = [
  ['another path', request(usual, body, 'POST /mcp2 HTTP/1.1')],
  ['a query', request(usual, body, 'POST /mcp?a HTTP/1.1')],
  ['a fragment', request(usual, body, 'POST /mcp#a HTTP/1.1')],
  ['the absolute form', request(usual, body, 'POST http://localhost/mcp HTTP/1.1')],
  ['a path in other letters', request(usual, body, 'POST /MCP HTTP/1.1')],
  ['an escape in the path', request(usual, body, 'POST /%6dcp HTTP/1.1')],
  ['GET', request(usual, body, 'GET /mcp HTTP/1.1')],
  ['PUT', request(usual, body, 'PUT /mcp HTTP/1.1')],
  ['a method in small letters', request(usual, body, 'post /mcp HTTP/1.1')],
  ['HTTP/1.0', request(usual, body, 'POST /mcp HTTP/1.0')],
  ['HTTP/1.2', request(usual, body, 'POST /mcp HTTP/1.2')],
  ['HTTP/2', request(usual, body, 'POST /mcp HTTP/2')],
  ['two blanks', request(usual, body, 'POST  /mcp HTTP/1.1')],
  ['a blank behind', request(usual, body, 'POST /mcp HTTP/1.1 ')],
  ['a tab', request(usual, body, 'POST\t/mcp HTTP/1.1')],
  ['a line end before', Buffer.concat([Buffer.from('\r\n'), request()])],
  ['no host', request(usual.slice(1))],
  ['two hosts', request([...usual, 'Host: b'])],
  ['the same header twice', request([...usual, 'x-a: 2'])],
  ['no length', request(usual.slice(0, -1))],
  ['two lengths', request([...usual, `Content-Length: ${body.length}`])],
  ['a length that is too small', request([...usual.slice(0, -1), 'Content-Length: 39'])],
  ['a length that is too large', request([...usual.slice(0, -1), 'Content-Length: 41'])],
  ['a length with a nought before', request([...usual.slice(0, -1), 'Content-Length: 040'])],
  ['a length with a sign', request([...usual.slice(0, -1), 'Content-Length: +40'])],
  ['a length in hex', request([...usual.slice(0, -1), 'Content-Length: 0x28'])],
  ['a length with an exponent', request([...usual.slice(0, -1), 'Content-Length: 4e1'])],
  ['a list of lengths', request([...usual.slice(0, -1), 'Content-Length: 40, 40'])],
  ['a length with a blank behind', request([...usual.slice(0, -1), 'Content-Length: 40 '])],
  ['a length with two blanks before', request([...usual.slice(0, -1), 'Content-Length:  40'])],
  ['a length with a tab before', request([...usual.slice(0, -1), 'Content-Length:\t40'])],
  ['chunks', request([...usual, 'Transfer-Encoding: chunked'])],
  ['an expectation', request([...usual, 'Expect: 100-continue'])],
  ['an upgrade', request([...usual, 'Upgrade: h2c'])],
  ['a trailer announced', request([...usual, 'Trailer: X-A'])],
  ['TE', request([...usual, 'TE: trailers'])],
  ['Keep-Alive', request([...usual, 'Keep-Alive: timeout=5'])],
  ['an end told', request([...usual, 'Connection: close'])],
  ['keep-alive in other letters', request([...usual, 'Connection: Keep-Alive'])],
  ['names in Connection', request([...usual, 'Connection: keep-alive, x-a'])],
  ['a folded header', request([...usual, ' X-B: 1'])],
  ['a header folded by a tab', request([...usual, '\tX-B: 1'])],
  ['a blank before the colon', request([...usual, 'X-B : 1'])],
  ['a line without a colon', request([...usual, 'X-B'])],
  ['a line without a name', request([...usual, ': 1'])],
  ['an empty value', request([...usual, 'X-B:'])],
  ['a value of blanks', request([...usual, 'X-B:   '])],
  ['an underscore in a name', request([...usual, 'X_B: 1'])],
  ['a name that every object has', request([...usual, 'constructor: 1'])],
  ['__proto__', request([...usual, '__proto__: 1'])],
  ['a name of 100 letters', request([...usual, `X-${'b'.repeat(100)}: 1`])],
  ['a line feed in a value', request([...usual, 'X-B: 1\nX-C: 2'])],
  ['a carriage return in a value', request([...usual, 'X-B: 1\rX-C: 2'])],
  ['a tab in a value', request([...usual, 'X-B: 1\t2'])],
  ['a NUL in a value', request([...usual, 'X-B: 1\0'])],
  ['a delete character', request([...usual, 'X-B: 1\x7f'])],
  ['letters beyond ASCII', request([...usual, 'X-B: \xe9'])],
  ['line feeds for line ends', Buffer.from(request().toString('latin1').replaceAll('\r\n', '\n'), 'latin1')],
  ['a head without an end', Buffer.from(`POST /mcp HTTP/1.1\r\n${usual.join('\r\n')}\r\n`)],
  ['a blank line in the head', request([...usual.slice(0, 2), '', ...usual.slice(2)])],
  ['49 headers', request([...usual, ...Array.from({ length: 45 }, (_each, index) => `X-B${index}: 1`)])],
  ['a head of 9,000 bytes', request([...usual, `X-B: ${'b'.repeat(9000)}`])],
  ['a request behind it', Buffer.concat([request(), request()])],
  ['a byte behind it', request(usual, `${body}\n`)],
  ['a byte less', request().subarray(0, -1)],
  ['nothing', Buffer.alloc(0)],
  ['TLS', Buffer.from('16030100f5010000f10303', 'hex')],
];

test.each(others)('A53: %s is left to Node', (_what, bytes) => {
  expect(read(bytes)).toBeUndefined();
});

const headEnd = request().indexOf('\r\n\r\n');
const bytesInPlace = [
  0x00, 0x09, 0x0a, 0x0d, 0x20, 0x22, 0x2b, 0x2c, 0x30, 0x3a, 0x3b, 0x5c, 0x5f, 0x7f, 0x80, 0xff,
];

/** The request with each of its head's bytes in turn replaced by each of these. */
function* changedRequests(): Generator<Buffer> {
  for (let at = 0; at < headEnd + 4; at += 1) {
    for (const byte of bytesInPlace) {
      const changed = request();
      changed[at] = byte;
      yield changed;
    }
  }
}

test('A53: no single byte in place of another makes it another request than the bytes say', () => {
  for (const changed of changedRequests()) {
    const found = read(changed);
    if (found === undefined) continue;
    // What was read is what was written, line by line.
    const { url, rawHeaders } = found.head;
    const lines = rawHeaders.map((each, index) => (index % 2 === 0 ? `\r\n${each}:` : each));
    const head = changed.toString('latin1', 0, headEnd).replaceAll(': ', ':');
    const length = /\r\ncontent-length:40/i.exec(head)?.[0];
    expect(head).toBe(`POST ${url} HTTP/1.1${lines.join('').replaceAll(': ', ':')}${length}`);
  }
});

/** A reader that knows these. */
function openKnowing(...requests: Buffer[]) {
  const reader = open();
  for (const each of requests) {
    reader(each);
    reader(each);
  }
  return reader;
}

test('a head that comes a third time is not read again, whatever the length of the body', () => {
  const reader = open();
  const [first, second] = [reader(request()), reader(request())];
  const longer = `{"jsonrpc":"2.0","id":2,"method":"ping","params":{"_meta":{"a":"${'a'.repeat(20)}"}}}`;
  const third = reader(request([...usual.slice(0, -1), `content-length: ${longer.length}`], longer));
  expect(second?.head).not.toBe(first?.head);
  expect(third?.head).toBe(second?.head);
  expect(third?.body.toString()).toBe(longer);
});

test('A53: what is shared cannot be changed', () => {
  const head = openKnowing(request())(request())?.head;
  expect(Object.isFrozen(head?.rawHeaders)).toBe(true);
  expect(Object.isFrozen(head?.headers)).toBe(true);
});

test('A53: each of many heads is told from the others, also those that differ in one byte', () => {
  const heads = Array.from({ length: 3000 }, (_each, index) => [
    'Host: localhost:1',
    `Authorization: Bearer ${'a'.repeat(40)}${index}`,
    `Content-Length: ${body.length}`,
    `Mcp-Name: ${index % 10}`,
  ]);
  const reader = openKnowing(...heads.map((lines) => request(lines)));
  for (const lines of heads) {
    const found = reader(request(lines));
    expect(found?.head.rawHeaders.join(': ')).toBe(lines.toSpliced(2, 1).join(': '));
  }
});

test('a head longer than four kilobytes is read each time', () => {
  const long = request([...usual, `X-B: ${'b'.repeat(5000)}`]);
  const reader = openKnowing(long);
  expect(reader(long)?.head).not.toBe(reader(long)?.head);
});

test('a path that is served no more is left to Node, also where the head is known', () => {
  const served = new Set(['/mcp']);
  const reader = createRequestReader((path) => served.has(path));
  expect(reader(request())).toBeDefined();
  served.clear();
  expect(reader(request())).toBeUndefined();
});

test.each(others)('A53: %s is left to Node, also where the good request is known', (_what, bytes) => {
  expect(openKnowing(request())(bytes)).toBeUndefined();
});

test('A53: where a request is known every single byte counts as it does elsewhere', () => {
  const reader = openKnowing(request());
  for (const changed of changedRequests()) expect(reader(changed)).toEqual(read(changed));
});
