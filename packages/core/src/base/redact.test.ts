import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { redact } from './redact.ts';

const b64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
const jwt = `${b64url(Buffer.from('{"alg":"RS256"}'))}.${b64url(Buffer.from('{"sub":"x"}'))}.c2ln`;
const jwe = `${b64url(Buffer.from('{"alg":"dir"}'))}..aXY.Y2lwaGVy.dGFn`;

test.each([
  ['a JWT', `got ${jwt} here`, 'got [redacted] here'],
  ['a JWE', `got ${jwe}`, 'got [redacted]'],
  ['a bearer header', 'Authorization: Bearer abc.def', 'Authorization: Bearer [redacted]'],
  ['a basic header', 'authorization: basic dXNlcjpwYXNz', 'authorization: basic [redacted]'],
  [
    'a callback',
    '/auth/callback?code=0.AX&state=xyz HTTP',
    '/auth/callback?code=[redacted]&state=[redacted] HTTP',
  ],
  ['a form', 'grant_type=x&client_secret=s3&scope=a', 'grant_type=x&client_secret=[redacted]&scope=a'],
  ['an encoded URL', 'to=%2Fcb%3Fcode%3Dabc', 'to=%2Fcb%3Fcode%3D[redacted]'],
  ['JSON', '{"refresh_token":"a b\\"c","n":1}', '{"refresh_token":"[redacted]","n":1}'],
  ['JSON in JSON', '"{\\"access_token\\":\\"abc\\"}"', '"{\\"access_token\\":\\"[redacted]\\"}"'],
  ['spaces', 'id_token = abc;', 'id_token = [redacted];'],
  ['upper case', 'CLIENT_ASSERTION=abc', 'CLIENT_ASSERTION=[redacted]'],
  ['a header', 'x-functions-key: abc==', 'x-functions-key: [redacted]'],
  ['an Entra secret', 'secret Ab.8Q~abcdefghij.klmnopqrst-uvwxyzabcd_efg', 'secret [redacted]'],
  ['a PEM', 'k -----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY----- e', 'k [redacted] e'],
  ['a cut PEM', 'k -----BEGIN EC PRIVATE KEY-----\nMII', 'k [redacted]'],
])('D43 A15: %s is redacted', (_name, text, clean) => {
  expect(redact(text)).toBe(clean);
});

test.each([
  'AADSTS50011: the redirect URI does not match. Correlation ID: 0ddcd6d6-7a31-4c45-a4d8-b9c5b1f0a111',
  '8f5c0000-0000-4000-8000-0123456789ab.11112222-3333-4444-5555-666677778888',
  'Bearer realm="mcp", error="invalid_token"',
  'Bearer token required; Basic authentication is not supported',
  'MissingRequiredClientCapabilityError in io.modelcontextprotocol/enterprise-managed-authorization',
  'https://login.microsoftonline.com/8f5c0000-0000-4000-8000-0123456789ab/oauth2/v2.0/authorize',
  'error code: 65001, error_codes=[65001]',
  'code=',
  'barcode=7 and estate=b',
  'ECONNREFUSED 127.0.0.1:7071 /snippets/mcp 2026-07-28',
])('what an operator needs stays: %s', (text) => {
  expect(redact(text)).toBe(text);
});

test('D43: 16 or more random bytes never survive, in hex or in base64url', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 80 }),
      fc.constantFrom(' ', '"', '/', ': '),
      (raw, around) => {
        // Digests make the bytes random-looking, as a generator's are; all zeros are no secret.
        fc.pre(new Set(raw).size > 12);
        const hex = Buffer.from(raw).toString('hex');
        expect(redact(`a${around}${hex}${around}b`)).not.toContain(hex);
        fc.pre(raw.length >= 32);
        const secret = b64url(raw);
        expect(redact(`a${around}${secret}${around}b`)).not.toContain(secret);
      },
    ),
  );
});

test('D43: a named value never survives, whatever it is made of', () => {
  const name = fc.constantFrom('code', 'state', 'client_secret', 'refresh_token', 'access_token', 'id_token');
  // A lone quote is a delimiter with nothing behind it.
  const value = fc
    .string({ minLength: 1 })
    .filter((text) => text !== "'")
    .map(encodeURIComponent);
  fc.assert(
    fc.property(name, value, (key, text) => {
      // A quote before the value is taken for its delimiter and stays.
      expect(redact(`?${key}=${text}&a=b`).replace(/='/, '=')).toBe(`?${key}=[redacted]&a=b`);
    }),
    { examples: [['code', "it's"]] },
  );
});

test('redacting twice changes nothing more', () => {
  fc.assert(fc.property(fc.string(), (text) => redact(redact(text)) === redact(text)));
});

test.each([
  'eyJ',
  'eyJ.',
  'eyJa-',
  'Bearer ',
  'client_secret ',
  'client_secret="',
  'a',
  '-----BEGIN ',
  '%3fcode',
  '"\\',
  'aB3-',
  '0Q~',
])('a megabyte of %j is read in linear time', (piece) => {
  const text = piece.repeat(Math.ceil(1_000_000 / piece.length));
  const started = performance.now();
  redact(text);
  expect(performance.now() - started).toBeLessThan(2000);
});
