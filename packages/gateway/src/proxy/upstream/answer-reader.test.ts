import { expect, test } from 'vitest';
import { createHeadParser } from './answer-head.ts';
import { readBody, readHead as readHeadWith, startBody } from './answer-reader.ts';
import { BadAnswer } from './bad-answer.ts';

const parseHead = createHeadParser();
const readHead = (bytes: Buffer) => readHeadWith(bytes, parseHead);
const head = (...lines: string[]) => Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');

/** Reads an answer that comes in pieces of so many bytes. */
function readAll(text: string, pieceBytes: number): { body: string; rest: string; status: number } {
  const bytes = Buffer.from(text, 'latin1');
  const found = readHead(bytes);
  if (found === undefined) throw new Error('no head');
  const state = startBody(found.head);
  let body = '';
  let at = found.end;
  while (at < bytes.length && !state.isOver) {
    const piece = bytes.subarray(at, at + pieceBytes);
    at += readBody(state, piece, 0, (part) => {
      body += part.toString('latin1');
    });
  }
  if (!state.isOver) throw new Error('not over');
  return { body, rest: bytes.toString('latin1', at), status: found.head.statusCode };
}

test('names are in small letters, values without blanks around them, and what came twice is a list', () => {
  const { head: read, end } =
    readHead(head('HTTP/1.1 200 OK', 'Content-Length:  5\t', 'X-A: 1', 'x-a: 2', 'X-A:')) ?? {};
  expect(read).toMatchObject({ statusCode: 200, length: 5, keepsOpen: true });
  expect({ ...read?.headers }).toEqual({ 'content-length': '5', 'x-a': ['1', '2', ''] });
  expect(end).toBe(62);
});

test('a head that is not complete is waited for, one that is too large is not', () => {
  expect(readHead(Buffer.from('HTTP/1.1 200 OK\r\nX: 1\r\n'))).toBeUndefined();
  expect(() => readHead(Buffer.from(`HTTP/1.1 200 OK\r\nX: ${'1'.repeat(17_000)}`))).toThrow(BadAnswer);
});

test('interim answers are passed over', () => {
  const bytes = Buffer.concat([
    head('HTTP/1.1 100 Continue'),
    head('HTTP/1.1 103 Early Hints', 'Link: a'),
    head('HTTP/1.1 204 No Content'),
  ]);
  expect(readHead(bytes)).toMatchObject({ head: { statusCode: 204, length: 0 }, end: bytes.length });
});

const good: [what: string, lines: string[], framing: Record<string, unknown>][] = [
  ['a length', ['HTTP/1.1 200 OK', 'Content-Length: 0'], { length: 0, keepsOpen: true }],
  ['chunks', ['HTTP/1.1 200 OK', 'Transfer-Encoding: Chunked'], { length: 'chunked', keepsOpen: true }],
  ['neither', ['HTTP/1.1 200 OK'], { length: 'until_close', keepsOpen: false }],
  [
    'an end told',
    ['HTTP/1.1 200 OK', 'Content-Length: 3', 'Connection: x, Close'],
    { length: 3, keepsOpen: false },
  ],
  [
    'HTTP/1.0',
    ['HTTP/1.0 200 OK', 'Content-Length: 3', 'Connection: keep-alive'],
    { length: 3, keepsOpen: false },
  ],
  [
    'no body by its status',
    ['HTTP/1.1 304 Not Modified', 'Content-Length: 9'],
    { length: 0, keepsOpen: true },
  ],
  ['no reason', ['HTTP/1.1 200', 'Content-Length: 1'], { length: 1 }],
  ['an empty reason', ['HTTP/1.1 200 ', 'Content-Length: 1'], { length: 1 }],
  ['a name like closed', ['HTTP/1.1 200 OK', 'Content-Length: 1', 'Connection: closed'], { keepsOpen: true }],
];

test.each(good)('an answer with %s', (_what, lines, framing) => {
  expect(readHead(head(...lines))?.head).toMatchObject(framing);
});

const ok = 'HTTP/1.1 200 OK';
const bad: [what: string, lines: string[]][] = [
  ['another protocol', ['HTTP/2 200 OK']],
  ['a version that is none', ['HTTP/1.2 200 OK']],
  ['no status', ['HTTP/1.1 OK']],
  ['a status of four digits', ['HTTP/1.1 2000 OK']],
  ['a status below 100', ['HTTP/1.1 099 OK']],
  ['a blank before the version', [' HTTP/1.1 200 OK']],
  ['a protocol nobody asked for', ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket']],
  ['a length and chunks', [ok, 'Content-Length: 5', 'Transfer-Encoding: chunked']],
  ['chunks twice', [ok, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
  ['chunks in a list', [ok, 'Transfer-Encoding: gzip, chunked']],
  ['another coding', [ok, 'Transfer-Encoding: xchunked']],
  ['chunks in HTTP/1.0', ['HTTP/1.0 200 OK', 'Transfer-Encoding: chunked']],
  ['two lengths', [ok, 'Content-Length: 5', 'Content-Length: 6']],
  ['the same length twice', [ok, 'Content-Length: 5', 'Content-Length: 5']],
  ['a list of lengths', [ok, 'Content-Length: 5, 5']],
  ['a signed length', [ok, 'Content-Length: +5']],
  ['a negative length', [ok, 'Content-Length: -1']],
  ['a length in hex', [ok, 'Content-Length: 0x5']],
  ['an empty length', [ok, 'Content-Length:']],
  ['a length that is too long', [ok, 'Content-Length: 9999999999999999']],
  ['a folded header', [ok, 'X: a', ' b']],
  ['a folded first header', [ok, '\tX: a']],
  ['a blank before the colon', [ok, 'Content-Length : 5']],
  ['no colon', [ok, 'X']],
  ['no name', [ok, ': x']],
  ['a name that every object has', [ok, '__proto__: x']],
  ['a line feed in a value', [ok, 'X: a\nContent-Length: 5']],
  ['a carriage return in a value', [ok, 'X: a\rb']],
  ['a NUL in a value', [ok, 'X: a\0b']],
  ['a control character in a name', [ok, 'X\x01: a']],
];

test.each(bad)('A53: an answer with %s is none', (_what, lines) => {
  expect(() => readHead(head(...lines))).toThrow(BadAnswer);
});

test('a non-breaking space is part of a value', () => {
  expect(readHead(head(ok, 'X: \xa0a\xa0'))?.head.headers['x']).toBe('\xa0a\xa0');
});

const chunked = `${ok}\r\nTransfer-Encoding: chunked\r\n\r\n`;

test.each([1, 2, 3, 5, 7, 1000])('chunks that come in pieces of %d bytes', (pieceBytes) => {
  const text = `${chunked}5\r\nhello\r\n1;a=b\r\n,\r\n0006  \r\n world\r\n0\r\nX-T: 1\r\n\r\nrest`;
  expect(readAll(text, pieceBytes)).toMatchObject({ body: 'hello, world' });
});

test('what follows a body is not taken', () => {
  expect(readAll(`${chunked}1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK`, 1000).rest).toBe('HTTP/1.1 200 OK');
  expect(readAll(`${ok}\r\nContent-Length: 2\r\n\r\nabc`, 1000)).toEqual({
    body: 'ab',
    rest: 'c',
    status: 200,
  });
});

const badChunks = [
  ['no size', '\r\n'],
  ['a size that is none', 'zz\r\n'],
  ['a signed size', '+5\r\nhello\r\n0\r\n\r\n'],
  ['a size in 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a size of nine digits', '000000005\r\nhello\r\n0\r\n\r\n'],
  ['a blank before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['a bare line feed after the size', '5\nhello\r\n0\r\n\r\n'],
  ['a carriage return in the extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['more bytes than it says', '4\r\nhello\r\n0\r\n\r\n'],
  ['a bare line feed after the data', '5\r\nhello\n0\r\n\r\n'],
  ['a bare line feed at the end', '5\r\nhello\r\n0\r\n\n'],
  ['a line that does not end', `5;${'a'.repeat(5000)}`],
  ['a trailer that does not end', `0\r\n${'X: a\r\n'.repeat(4000)}`],
] as const;

test.each(badChunks)('A53: a chunk with %s is none', (_what, body) => {
  expect(() => readAll(`${chunked}${body}`, 1000)).toThrow(BadAnswer);
  expect(() => readAll(`${chunked}${body}`, 1)).toThrow(BadAnswer);
});

test('CWE-770: interim answers come to an end, also where no head is complete yet', () => {
  const interim = head('HTTP/1.1 103 Early Hints', `Link: ${'x'.repeat(1000)}`);
  const some = Buffer.concat(Array.from({ length: 10 }, () => interim));
  expect(readHead(some)).toBeUndefined();
  expect(readHead(Buffer.concat([some, head('HTTP/1.1 200 OK', 'Content-Length: 0')]))).toBeDefined();
  const endless = Buffer.concat(Array.from({ length: 100 }, () => interim));
  expect(() => readHead(endless)).toThrow(BadAnswer);
});
