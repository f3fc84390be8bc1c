import { createHash, timingSafeEqual } from 'node:crypto';

/** In constant time, and whatever the lengths: both sides are hashed first. */
export function isSameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected)) && expected !== '';
}
