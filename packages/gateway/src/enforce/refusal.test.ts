import type { Operation } from '@valetkey/core/mcp/operation';
import { createPolicy } from '@valetkey/core/policy/decide';
import type { Principal } from '@valetkey/core/policy/principal';
import { expect, test } from 'vitest';
import { answerRefusal, type Refusal } from './refusal.ts';

const context = {
  resourceMetadataUrl: 'https://m.test/.well-known/oauth-protected-resource/a',
  scopes: ['a.use'],
};
const fault = { kind: 'unreadable', code: -32700, message: 'no JSON', id: null } as const;

test.each<[Refusal, number]>([
  [{ kind: 'no_token' }, 401],
  [{ kind: 'bad_token' }, 401],
  [{ kind: 'wrong_method' }, 405],
  [{ kind: 'wrong_media_type' }, 415],
  [{ kind: 'body_too_large' }, 413],
  [{ kind: 'body_too_slow' }, 408],
  [{ kind: 'bad_message', fault }, 400],
  [{ kind: 'unknown_session', id: 7 }, 404],
  [{ kind: 'store_unavailable', id: 7 }, 503],
  [{ kind: 'unreachable', id: 7 }, 502],
  [{ kind: 'timeout', id: 7 }, 504],
  [{ kind: 'credential_refused', id: 7 }, 502],
  [{ kind: 'unusable_answer', id: 7 }, 502],
  [{ kind: 'busy', id: 7 }, 503],
  [{ kind: 'unknown_stream', id: 7 }, 404],
  [{ kind: 'circuit_open', id: 7, retryAfterSeconds: 5 }, 503],
  [{ kind: 'credential_unavailable', id: 7, retryAfterSeconds: 17 }, 503],
  [{ kind: 'no_credential', id: 7 }, 502],
  [{ kind: 'sign_in_again', id: 7 }, 401],
  [{ kind: 'not_entitled', id: 7, description: 'not assigned' }, 403],
])('$kind is answered with its status and a JSON-RPC error', (refusal, status) => {
  const answer = answerRefusal(refusal, context);
  expect(answer.status).toBe(status);
  const id = 'id' in refusal ? 7 : null;
  expect(answer.body).toMatchObject({ jsonrpc: '2.0', id, error: { message: expect.any(String) } });
  const { code } = (answer.body as { error: { code: number } }).error;
  expect(code === -32700 || code < -32768 || code > -32000, 'no code of the reserved range').toBe(true);
});

test('A12 A13 D55: the two 401 differ in their error only', () => {
  const metadata = 'resource_metadata="https://m.test/.well-known/oauth-protected-resource/a", scope="a.use"';
  expect(answerRefusal({ kind: 'no_token' }, context).headers).toEqual({
    'WWW-Authenticate': `Bearer ${metadata}`,
  });
  expect(answerRefusal({ kind: 'bad_token' }, context).headers['WWW-Authenticate']).toMatch(
    /^Bearer error="invalid_token", error_description="[^"]+", resource_metadata=/,
  );
});

test('405 names the methods of both eras', () => {
  expect(answerRefusal({ kind: 'wrong_method' }, context).headers).toEqual({ Allow: 'POST, GET, DELETE' });
});

const policy = createPolicy({
  enter: {},
  tools: {
    save: { anyRole: ['Writer', 'Owner'] },
    share: { scopes: ['a.share', 'a.use'] },
    both: { anyRole: ['Writer'], scopes: ['a.share'] },
  },
});
const person: Principal = {
  tenantId: 't',
  objectId: 'o',
  roles: [],
  groups: [],
  scopes: ['a.use'],
  clientId: 'c',
  sessionId: 's',
};
const call = (name: string, id?: number): Operation =>
  id === undefined
    ? { method: 'tools/call', name, kind: 'notification' }
    : { method: 'tools/call', name, id, kind: 'request' };
const denied = (operations: Operation[], isBatch = false) =>
  answerRefusal(
    {
      kind: 'denied',
      isBatch,
      judged: operations.map((operation) => ({ operation, decision: policy.decide(person, operation) })),
    },
    context,
  );

test('A24: a missing role is named, and starts no sign-in', () => {
  const { status, headers, body } = denied([call('save', 7)]);
  expect(status).toBe(403);
  expect(headers).toEqual({});
  expect(body).toMatchObject({
    id: 7,
    error: { code: 403, message: 'Access denied: tool save needs the role Writer or Owner' },
  });
});

test('A14: missing scopes come as one challenge with all scopes of the operation', () => {
  const { status, headers, body } = denied([call('share', 7)]);
  expect(status).toBe(403);
  expect(headers['WWW-Authenticate']).toContain('error="insufficient_scope"');
  expect(headers['WWW-Authenticate']).toContain('scope="a.share a.use"');
  expect(body).toMatchObject({
    id: 7,
    error: { message: 'Access denied: tool share needs the scope a.share a.use' },
  });
});

test('where role and scope are missing, more scopes would not help', () => {
  expect(denied([call('both', 7)]).headers).toEqual({});
});

test('a batch is refused as a whole, each message by its id', () => {
  const { status, body } = denied([call('hello', 1), call('save', 2), call('save')], true);
  expect(status).toBe(403);
  expect(body).toEqual([
    { jsonrpc: '2.0', id: 1, error: { code: 403, message: expect.stringContaining('another message') } },
    { jsonrpc: '2.0', id: 2, error: expect.objectContaining({ code: 403 }) },
  ]);
});

test('a denied notification has no id to answer to', () => {
  expect(denied([call('save')]).body).toMatchObject({ id: null, error: { code: 403 } });
});

test('a call without a name is 400', () => {
  const { status, body } = denied([{ method: 'tools/call', id: 1, kind: 'request' }]);
  expect(status).toBe(400);
  expect(body).toMatchObject({ id: 1, error: { code: -32602 } });
});

test('what passes says when to come back; what only a sign-in mends is a challenge that makes clients sign in', () => {
  const headersOf = (refusal: Refusal) => answerRefusal(refusal, context).headers;
  expect(headersOf({ kind: 'busy', id: 7, retryAfterSeconds: 1 })).toEqual({ 'Retry-After': '1' });
  expect(headersOf({ kind: 'circuit_open', id: 7, retryAfterSeconds: 5 })).toEqual({ 'Retry-After': '5' });
  expect(headersOf({ kind: 'credential_unavailable', id: 7, retryAfterSeconds: 17 })).toEqual({
    'Retry-After': '17',
  });
  expect(headersOf({ kind: 'sign_in_again', id: 7 })['WWW-Authenticate']).toMatch(
    /^Bearer error="invalid_token", .*resource_metadata="/,
  );
  expect(headersOf({ kind: 'not_entitled', id: 7, description: 'not assigned' })).toEqual({});
});
