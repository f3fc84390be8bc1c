import { expect, test } from 'vitest';
import { parseEndpoint } from './endpoint.ts';

const sse = new URL('http://backend.internal:3001/app/sse?tenant=1');

test.each([
  ['a path', '/message?sessionId=1', '/message?sessionId=1'],
  ['a whole address', 'http://backend.internal:3001/message?sessionId=1', '/message?sessionId=1'],
  ['a neighbour', 'message?sessionId=1', '/app/message?sessionId=1'],
  ['with a fragment', '/message#x', '/message'],
  ['with blanks around', ' /message ', '/message'],
  ['the root', '/', '/'],
])('%s', (_case, data, path) => {
  expect(parseEndpoint(data, sse)).toEqual({ ok: true, value: path });
});

test.each([
  ['another host', 'http://169.254.169.254/metadata/identity'],
  ['another port', 'http://backend.internal:3002/message'],
  ['another scheme', 'https://backend.internal:3001/message'],
  ['no scheme', '//evil.example/message'],
  ['backslashes', String.raw`\\evil.example/message`],
  ['a user', 'http://me@backend.internal:3001/message'],
  ['the host as a user', 'http://backend.internal:3001@evil.example/message'],
  ['a file', 'file:///etc/passwd'],
  ['data', 'data:text/plain,x'],
  ['a line break in the host', 'http://backend.internal:3001\n.evil.example/'],
])('CVE-2026-26118: %s is refused', (_case, data) => {
  expect(parseEndpoint(data, sse)).toMatchObject({ ok: false });
});

test.each(['', '  ', 'http://'])('no address: %j', (data) => {
  expect(parseEndpoint(data, sse).ok).toBe(false);
});
