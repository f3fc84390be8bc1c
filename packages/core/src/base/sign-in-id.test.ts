import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createSessionId, createSignInId, findSignInId } from './sign-in-id.ts';

test('one request has one id, another request another, and neither tells the request', () => {
  const interactionId = randomBytes(32).toString('base64url');
  const signInId = createSignInId(interactionId);
  expect(signInId).toMatch(/^[\w-]{22}$/);
  expect(createSignInId(interactionId)).toBe(signInId);
  expect(createSignInId(`${interactionId}x`)).not.toBe(signInId);
  expect(interactionId).not.toContain(signInId);
});

test('a session tells its sign-in, and is as unguessable as before', () => {
  const signInId = createSignInId('request');
  const sessionId = createSessionId(signInId, (size) => randomBytes(size));
  expect(findSignInId(sessionId)).toBe(signInId);
  expect(sessionId.slice(signInId.length + 1)).toMatch(/^[\w-]{43}$/);
  expect(createSessionId(signInId, (size) => randomBytes(size))).not.toBe(sessionId);
});

test.each(['', '.', 'x', 'short.rest', randomBytes(32).toString('base64url'), '8f5c0c1e-4d0e.x'])(
  'an id from before has no sign-in: %j',
  (sessionId) => {
    expect(findSignInId(sessionId)).toBeUndefined();
  },
);
