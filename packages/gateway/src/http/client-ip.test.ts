import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { createClientIp, rateLimitKey } from './client-ip.ts';

function requestFrom(remoteAddress: string, forwarded?: string): IncomingMessage {
  return {
    socket: { remoteAddress },
    headers: { 'x-forwarded-for': forwarded },
  } as unknown as IncomingMessage;
}

const proxies = ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'];

test.each([
  ['no proxy: the header is a lie', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
  ['one proxy', '10.0.0.1', '198.51.100.1', '198.51.100.1'],
  ['two proxies', '10.0.0.1', '198.51.100.1, 192.0.2.1', '198.51.100.1'],
  ['a client that wrote a hop itself', '10.0.0.1', '1.2.3.4, 198.51.100.1', '198.51.100.1'],
  ['a client that claims to be a proxy', '10.0.0.1', '10.9.9.9, 198.51.100.1', '198.51.100.1'],
  ['all hops trusted: the farthest', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['IPv4-mapped peer', '::ffff:10.0.0.1', '198.51.100.1', '198.51.100.1'],
  ['IPv4-mapped hop', '10.0.0.1', '::ffff:198.51.100.1', '198.51.100.1'],
  ['Azure port on IPv4', '10.0.0.1', '198.51.100.1:51234', '198.51.100.1'],
  ['Azure port on IPv6', 'fd00::1', '[2001:db8::7]:443', '2001:db8::7'],
  ['a hop that is no address', '10.0.0.1', '198.51.100.1, unknown', '10.0.0.1'],
  ['a number that is no address', '10.0.0.1', '3232235777', '10.0.0.1'],
  ['an empty header', '10.0.0.1', '', '10.0.0.1'],
])('%s', (_, peer, forwarded, expected) => {
  expect(createClientIp(proxies)(requestFrom(peer, forwarded))).toBe(expected);
});

test('a trusted proxy that is neither address nor range is named at start', () => {
  expect(() => createClientIp(['10.0.0.0/99'])).toThrow('10.0.0.0/99');
});

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2:ffff::1', '2001:db8:1:2::/64'],
  ['unknown', 'unknown'],
])('A30: %s is limited as %s', (ip, key) => {
  expect(rateLimitKey(ip)).toBe(key);
});
