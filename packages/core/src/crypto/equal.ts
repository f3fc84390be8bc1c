import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Whether two byte strings are equal, in a time that does not tell where they differ. Any lengths: both sides
 * are hashed first, so a wrong length takes the same path as a wrong byte.
 */
export function isEqualBytes(left: Uint8Array, right: Uint8Array): boolean {
  return timingSafeEqual(digest(left), digest(right));
}

/**
 * As `isEqualBytes`, for text. Compares UTF-16 code units: no normalisation, no case folding, no culture (D35),
 * and two different broken strings do not become equal through a replacement character.
 */
export function isEqualText(left: string, right: string): boolean {
  return isEqualBytes(Buffer.from(left, 'utf16le'), Buffer.from(right, 'utf16le'));
}

function digest(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
