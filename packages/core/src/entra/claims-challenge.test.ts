import { expect, test } from 'vitest';
import { isClaimsChallenge, parseClaimsChallenge } from './claims-challenge.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const challenge = (claims: string) =>
  `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="${claims}"`;
const nbf = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}';

test('a claims challenge is the JSON that the next sign-in needs', () => {
  expect(parseClaimsChallenge(challenge(base64(nbf)))).toBe(nbf);
  expect(parseClaimsChallenge(challenge(Buffer.from(nbf).toString('base64url')))).toBe(nbf);
});

test('an API speaks of its own access token, and of nothing else of a sign-in', () => {
  const wide = `{"id_token":{"sub":{"essential":true,"value":"somebody"}},${nbf.slice(1)}`;
  expect(parseClaimsChallenge(challenge(base64(wide)))).toBe(nbf);
});

test.each([
  ['no challenge', undefined],
  ['another error', challenge(base64('{}')).replace('insufficient_claims', 'invalid_token')],
  ['no base64', challenge('{"a":1}')],
  ['no JSON', challenge(base64('hello'))],
  ['JSON that is no object', challenge(base64('7'))],
  ['a list', challenge(base64('[]'))],
  ['nothing of the access token', challenge(base64('{"id_token":{"sub":{"value":"x"}}}'))],
  ['an access token that is no object', challenge(base64('{"access_token":"x"}'))],
])('%s is no claims challenge', (_name, header) => {
  expect(parseClaimsChallenge(header)).toBeUndefined();
});

test('a challenge that no address could carry is none', () => {
  expect(isClaimsChallenge(nbf)).toBe(true);
  expect(isClaimsChallenge(JSON.stringify({ access_token: 'x'.repeat(7000) }))).toBe(false);
});
