import { expect, test } from 'vitest';
import { isDisguisedUri } from './disguised-uri.ts';

test.each([
  'file:///projects/../secret',
  'file:///projects/./a',
  'file:///projects/..',
  'file:///projects/.',
  '../secret',
  'file:///projects/%2e%2e/secret',
  'file:///projects/%2E./secret',
  'file:///projects/.%2e/secret',
  'file:///projects%2f..%2fsecret',
  'file:///projects/..%2Fsecret',
  'file:///projects/..\\secret',
  'file:///projects/..%5csecret',
  'file:///projects/%252e%252e/secret',
  'file:///projects/..%252fsecret',
  'file:///projects/%25252e%25252e%25252fsecret',
  'file:///projects/..;a=b/secret',
  'file:///projects/a?path=../secret',
  'file:///projects/..?x',
  'file:///projects/..#x',
  'file:..',
  'file:///%73ecret',
  'file:///s%65cret',
  'file:///%41',
  'file:///a%2Db',
  'file:///a%7eb',
  'file:///a%5Fb',
  'file:///%30',
])('A24: %s is in disguise', (uri) => {
  expect(isDisguisedUri(uri)).toBe(true);
});

test.each([
  'file:///projects/a.txt',
  'file:///projects/...',
  'file:///projects/..a/b',
  'file:///projects/a../b',
  'file:///projects/.hidden',
  'file:///projects/a%20b%C3%A4',
  'file:///projects/100%25',
  'file:///projects/100%2550',
  'file:///projects/a%2Fb',
  'repo://contoso/valetkey?ref=v1.0',
  'https://contoso.example/a//b',
  'urn:isbn:0451450523',
  '',
])('%s is as it seems', (uri) => {
  expect(isDisguisedUri(uri)).toBe(false);
});

test('A22: judged in one pass, whatever is repeated in it', () => {
  const startedMs = performance.now();
  for (const part of ['/.', '%25', '%252', '/%25252', '..', '%2e', '/..a'])
    isDisguisedUri(`${part.repeat(100_000)}x`);
  expect(performance.now() - startedMs).toBeLessThan(1000);
});
