/** Where randomness comes from: `size` bytes of a cryptographically secure generator. */
export type RandomBytes = (size: number) => Uint8Array;

/**
 * An unguessable identifier.
 *
 * @param bytes how many random bytes; the default of 32 gives 43 base64url characters, which is also a valid
 *   PKCE verifier (RFC 7636 §4.1).
 */
export function randomId(random: RandomBytes, bytes = 32): string {
  return Buffer.from(random(bytes)).toString('base64url');
}
