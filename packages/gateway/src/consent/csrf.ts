import { createHmac } from 'node:crypto';
import { isEqualText } from '@valetkey/core/crypto/equal';

/**
 * The token in the consent form: HMAC-SHA-256 over the browser's cookie and the interaction, so that it fits one
 * question in one browser. It stores nothing; that a question is answered once is the interaction's own rule.
 *
 * @param key at least 32 random bytes, used for nothing else.
 * @param browserId the value of the cookie that was set with the page.
 * @returns 43 base64url characters.
 */
export function createCsrfToken(key: Uint8Array, browserId: string, interactionId: string): string {
  // JSON of a list: no pair of ids can be cut differently into the same bytes.
  const bound = JSON.stringify(['consent', browserId, interactionId]);
  return createHmac('sha256', key).update(bound).digest('base64url');
}

/** Compares in constant time. */
export function checkCsrfToken(
  key: Uint8Array,
  browserId: string,
  interactionId: string,
  presented: string,
): boolean {
  return isEqualText(createCsrfToken(key, browserId, interactionId), presented);
}
