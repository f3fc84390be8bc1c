import { expect, test } from 'vitest';
import { createRequestWriter, UnsafeHeader } from './request-bytes.ts';
import type { UpstreamRequest } from './upstream.ts';

const request = {
  method: 'POST',
  path: '/mcp?a=1',
  headers: { passed: ['X-A', '1'], also: ['x-request-id', 'r'], own: [{ 'x-b': 'é', 'x-none': '' }, {}] },
  firstByteMs: 1,
};
const writeRequest = (asked: UpstreamRequest, host: string) => createRequestWriter(host)(asked);

test('head and body in one buffer', () => {
  const [bytes, ...more] = writeRequest({ ...request, body: Buffer.from('{"a":"é"}') }, 'host:1');
  expect(more).toEqual([]);
  expect(Buffer.from(bytes ?? []).toString('latin1')).toBe(
    'POST /mcp?a=1 HTTP/1.1\r\nhost: host:1\r\nX-A: 1\r\nx-request-id: r\r\nx-b: é\r\ncontent-length: 10\r\n\r\n{"a":"Ã©"}',
  );
});

test('a large body is not copied', () => {
  const body = Buffer.alloc(100_000, 'a');
  const parts = writeRequest({ ...request, body }, 'host');
  expect(parts).toHaveLength(2);
  expect(parts[1]).toBe(body);
});

test.each([
  ['GET', false],
  ['DELETE', false],
  ['POST', true],
])('%s without a body says a length: %s', (method, says) => {
  const [bytes] = writeRequest({ ...request, method, body: undefined }, 'host');
  expect(
    Buffer.from(bytes ?? [])
      .toString()
      .includes('content-length: 0\r\n'),
  ).toBe(says);
});

test.each([
  ['X', 'a\r\nX-Valetkey-Identity: b'],
  ['X', 'a\nb'],
  ['X', 'a\rb'],
  ['X', 'a\0'],
  ['X', 'a\u0100'],
  ['X\r\nY', 'a'],
  ['X Y', 'a'],
  ['X:', 'a'],
  ['', 'a'],
])('A53: the header %j with the value %j is not sent', (name, value) => {
  expect(() =>
    writeRequest(
      { ...request, headers: { passed: [], also: [], own: [{ [name]: value }] }, body: undefined },
      'host',
    ),
  ).toThrow(UnsafeHeader);
});
