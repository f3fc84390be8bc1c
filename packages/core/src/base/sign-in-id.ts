/**
 * One id for all that is recorded of one sign-in, from the authorization request to the last call of its session.
 * It is worked out from what each step knows anyway, so nothing has to be kept or passed on for it.
 */
import { createHash } from 'node:crypto';
import { type RandomBytes, randomId } from './random.ts';

const bytes = 16;
const shape = /^[\w-]{22}$/;

/**
 * @param interactionId of the authorization request; it opens the consent page in the right browser, so it is hashed.
 * @returns 128 bits in base64url, made to be shown.
 */
export function createSignInId(interactionId: string): string {
  const digest = createHash('sha256').update(`sign-in ${interactionId}`).digest();
  return digest.subarray(0, bytes).toString('base64url');
}

/** The id of a session that comes out of this sign-in: unguessable, and it tells which sign-in it was. */
export function createSessionId(signInId: string, random: RandomBytes): string {
  return `${signInId}.${randomId(random)}`;
}

/** The sign-in that a session came out of; undefined for ids from before sign-ins had one. */
export function findSignInId(sessionId: string): string | undefined {
  const end = sessionId.indexOf('.');
  const first = end === -1 ? '' : sessionId.slice(0, end);
  return shape.test(first) ? first : undefined;
}
