import { expect, test } from 'vitest';
import { findCookie, readCookies, serializeCookie } from './cookies.ts';

test('https: __Host- prefix with all that it demands', () => {
  expect(serializeCookie('https://mcp.contoso.com', 'browser', 'abc-_', 600)).toBe(
    '__Host-browser=abc-_; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600',
  );
});

test('loopback http: plain name without Secure, for the session', () => {
  expect(serializeCookie('http://127.0.0.1:8080', 'browser', 'abc')).toBe(
    'browser=abc; Path=/; HttpOnly; SameSite=Lax',
  );
});

test.each(['a;b', 'a b', 'a\r\nSet-Cookie: x=y', 'ä', '"a"'])('value %j is refused', (value) => {
  expect(() => serializeCookie('https://a.example', 'browser', value)).toThrow('unsafe characters');
});

test.each([
  ['https://a.example', '__Host-browser=1; browser=2', '1'],
  ['https://a.example', 'browser=2', undefined],
  ['http://localhost:1', 'x=y; browser=2', '2'],
  ['http://localhost:1', 'browser=2; browser=2', '2'],
  ['http://localhost:1', 'browser=2; browser=3', undefined],
  ['http://localhost:1', 'browser', undefined],
  ['http://localhost:1', undefined, undefined],
])('at %s, %j gives %j', (publicUrl, header, expected) => {
  expect(findCookie(publicUrl, readCookies(header), 'browser')).toBe(expected);
});
