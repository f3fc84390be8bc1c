import { expect, test } from 'vitest';
import { refusalOf } from './graph-refusal.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const challenge = (claims: string) =>
  `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="${claims}"`;

test('a claims challenge is passed up as the JSON that the next sign-in needs', () => {
  const claims = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}';
  expect(refusalOf({ status: 401, text: '', challenge: challenge(base64(claims)) })).toMatchObject({
    kind: 'claims',
    claims,
    isRetryable: false,
  });
});

test.each([
  [400, 'request', false],
  [401, 'token', false],
  [403, 'denied', false],
  [404, 'not-found', false],
  [409, 'request', false],
  [429, 'throttled', true],
  [500, 'unavailable', true],
  [503, 'unavailable', true],
  [302, 'unreadable', false],
])('A26: %i is %s, retryable: %s', (status, kind, isRetryable) => {
  expect(refusalOf({ status, text: '<html>' })).toMatchObject({ status, kind, isRetryable });
});

test('only codes are taken out of an answer, and only such as can be nothing else', () => {
  const body = (code: string) =>
    JSON.stringify({ error: { code, message: 'rita@contoso.example is no member' } });
  const refusal = refusalOf({ status: 403, text: body('Authorization_RequestDenied'), requestId: 'a-1' });
  expect(refusal).toMatchObject({ code: 'Authorization_RequestDenied', requestId: 'a-1' });
  expect(JSON.stringify(refusal)).not.toContain('rita');
  const odd = refusalOf({ status: 403, text: body('<script>'), requestId: 'a b' });
  expect(odd).not.toHaveProperty('code');
  expect(odd).not.toHaveProperty('requestId');
});
