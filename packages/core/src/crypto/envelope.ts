/**
 * Room `crypto`: sealing what the store and cookies hold, the keys for it, hashing of identifiers and comparing
 * in constant time. Knows bytes and keys; knows neither what is sealed nor where it is kept.
 *
 * An envelope is AES-256-GCM with a random nonce and the id of its key, so that equal values never look equal
 * and a rotated key stays readable:
 *
 *     version (1) | kid length (1) | kid | nonce (12) | ciphertext | tag (16)
 */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import type { RandomBytes } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';

/** One 256-bit AES key. The `KeyObject` keeps the bytes out of JSON, string conversion and `util.inspect`. */
export interface SealingKey {
  /** 1 to 64 characters of `A-Z a-z 0-9 _ -`. */
  readonly kid: string;
  readonly key: KeyObject;
}

/**
 * Why an envelope does not open. All three mean "no such value" to whoever presented it: answering them
 * differently is the oracle of the CBC design (D41).
 */
export type OpenRefusal = 'malformed' | 'unknown-key' | 'forged';

const algorithm = 'aes-256-gcm';
const version = 1;
const nonceBytes = 12;
const tagBytes = 16;
const kidPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether the text can name a key: safe in an envelope, in a JWE header and in a log. */
export function isKid(text: string): boolean {
  return kidPattern.test(text);
}

/**
 * Seals bytes under a key.
 *
 * The nonce is 96 random bits, which is sound for 2^32 envelopes per key (NIST SP 800-38D §8.3); rotate the ring
 * well before that.
 *
 * @param additionalData what the value belongs to, such as its store key: authenticated, not stored, and to be
 *   given again to open. Without it a sealed record could be moved to another id.
 * @throws RangeError when the key id or the generator's output is unusable: a fault of the program.
 */
export function sealBytes(
  key: SealingKey,
  plaintext: Uint8Array,
  additionalData: Uint8Array,
  random: RandomBytes,
): Uint8Array {
  if (!isKid(key.kid)) throw new RangeError('a sealing key needs an id of 1 to 64 base64url characters');
  const nonce = random(nonceBytes);
  if (nonce.length !== nonceBytes) throw new RangeError(`the generator must give ${nonceBytes} bytes`);
  const header = Buffer.concat([Uint8Array.of(version, key.kid.length), Buffer.from(key.kid, 'latin1')]);
  const cipher = createCipheriv(algorithm, key.key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(authenticated(header, additionalData));
  const body = [cipher.update(plaintext), cipher.final()];
  return plainBytes(Buffer.concat([header, nonce, ...body, cipher.getAuthTag()]));
}

/**
 * Opens an envelope.
 *
 * @param keyFor finds the key of an id; must not throw on an unknown one.
 * @param additionalData exactly what was given to `sealBytes`.
 * @returns the plaintext; `malformed` when it is no envelope of this version, `unknown-key` when the ring has no
 *   such key, `forged` when any byte or the additional data differs. Never throws on bad input.
 */
export function openBytes(
  keyFor: (kid: string) => SealingKey | undefined,
  sealed: Uint8Array,
  additionalData: Uint8Array,
): Result<Uint8Array, OpenRefusal> {
  const parts = takeApart(sealed);
  if (parts === undefined) return err('malformed');
  const key = keyFor(parts.kid);
  if (key === undefined) return err('unknown-key');
  const decipher = createDecipheriv(algorithm, key.key, parts.nonce, { authTagLength: tagBytes });
  decipher.setAAD(authenticated(parts.header, additionalData));
  decipher.setAuthTag(parts.tag);
  const head = decipher.update(parts.ciphertext);
  try {
    // Nothing that `update` decrypted leaves this function before `final` has checked the tag.
    return ok(plainBytes(Buffer.concat([head, decipher.final()])));
  } catch {
    return err('forged');
  }
}

/** Id of the key that an envelope was sealed with; undefined for what is no envelope of this version. */
export function findEnvelopeKid(sealed: Uint8Array): string | undefined {
  return takeApart(sealed)?.kid;
}

interface Parts {
  readonly kid: string;
  readonly header: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

function takeApart(sealed: Uint8Array): Parts | undefined {
  const [first, kidLength] = sealed;
  if (first !== version || kidLength === undefined) return undefined;
  const headerEnd = 2 + kidLength;
  const nonceEnd = headerEnd + nonceBytes;
  const tagStart = sealed.length - tagBytes;
  if (tagStart < nonceEnd) return undefined;
  const kid = Buffer.from(sealed.subarray(2, headerEnd)).toString('latin1');
  if (!isKid(kid)) return undefined;
  return {
    kid,
    header: sealed.subarray(0, headerEnd),
    nonce: sealed.subarray(headerEnd, nonceEnd),
    ciphertext: sealed.subarray(nonceEnd, tagStart),
    tag: sealed.subarray(tagStart),
  };
}

/** The header states its own length, so header and additional data cannot be shifted into each other. */
function authenticated(header: Uint8Array, additionalData: Uint8Array): Uint8Array {
  return Buffer.concat([header, additionalData]);
}

/** A `Uint8Array` rather than a `Buffer`: `slice` of the two differs, and callers are promised the former. */
function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
