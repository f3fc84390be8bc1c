import { expect, test } from 'vitest';
import { isLoopbackHost, isSecureUrl, parseHttpUrl } from './url.ts';

test.each([
  ['localhost', true],
  ['LocalHost', true],
  ['127.0.0.1', true],
  ['127.255.0.9', true],
  ['[::1]', true],
  ['::1', true],
  ['localhost.', false],
  ['localhost.contoso.com', false],
  ['a.localhost', false],
  ['127.0.0.1.contoso.com', false],
  ['127.1', false],
  ['128.0.0.1', false],
  ['0.0.0.0', false],
  ['[::]', false],
  ['[::ffff:7f00:1]', false],
  ['10.0.0.1', false],
  ['', false],
])('A23: is %j loopback? %j', (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});

test.each([
  ['https://mcp.contoso.com/a?b=c', true],
  ['HTTP://localhost:7071/mcp', true],
  ['https://host/a@b', true],
  ['https://user@host/', false],
  ['https://@host/', false],
  ['https://host/#f', false],
  ['https://host/#', false],
  ['https:\\\\host/', false],
  ['https://ho\nst/', false],
  [' https://host/', false],
  ['https://host/a b', false],
  ['https:host', false],
  ['https:///host', false],
  ['ftp://host/', false],
  ['javascript:alert(1)', false],
  ['file:///etc/passwd', false],
  ['//host/', false],
  ['https://[::1', false],
  ['', false],
])('CVE-2025-6514: is %j a URL to use? %j', (text, expected) => {
  expect(parseHttpUrl(text).ok).toBe(expected);
});

test.each([
  ['https://mcp.contoso.com', true],
  ['http://127.0.0.1:8080', true],
  ['http://0x7f.1/', true],
  ['http://mcp.contoso.com', false],
  ['http://localhost.contoso.com', false],
  ['ws://localhost', false],
])('A23: is %j secure? %j', (text, expected) => {
  expect(isSecureUrl(new URL(text))).toBe(expected);
});
