import { expect, test } from 'vitest';
import { isRedirectUriRegistered } from './redirect-uri.ts';

test.each([
  ['https://a.example/cb', 'https://a.example/cb', true],
  ['https://a.example/cb', 'https://a.example/cb/', false],
  ['https://a.example/cb', 'https://a.example/CB', false],
  ['https://a.example/cb', 'https://a.example:444/cb', false],
  ['https://a.example/cb', 'https://a.example/cb?x=1', false],
  ['http://localhost/cb', 'http://localhost:3000/cb', true],
  ['http://localhost:1/cb', 'http://localhost:2/cb', true],
  ['http://localhost', 'http://localhost:3000/', true],
  ['http://localhost/cb', 'http://localhost:3000/cb2', false],
  ['http://localhost/cb', 'http://localhost:3000/cb?x=1', false],
  ['http://localhost/cb', 'https://localhost:3000/cb', false],
  ['http://localhost/cb', 'http://127.0.0.1:3000/cb', false],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:3000/cb', true],
  ['http://[::1]/cb', 'http://[::1]:3000/cb', false],
  ['http://localhost/cb', 'http://localhost.evil.example:3000/cb', false],
  ['http://localhost/cb', 'http://localhost@evil.example/cb', false],
  ['http://localhost/cb', 'http://user@localhost/cb', false],
  ['http://localhost/cb', 'http://localhost:3000/cb#x', false],
  ['http://localhost/cb', 'nonsense', false],
])('registered %s, presented %s: %s', (registered, presented, expected) => {
  expect(isRedirectUriRegistered(registered, presented)).toBe(expected);
});
