import { hash } from 'node:crypto';

/**
 * The name under which a bearer identifier (code, refresh token, state, session id) is stored: who reads the
 * store learns nothing that can be presented.
 *
 * A plain hash, without salt or stretching, is right only because such identifiers carry 128 random bits or
 * more; never use it for something a person chose.
 *
 * @returns SHA-256 in base64url, 43 characters.
 */
export function hashToken(identifier: string): string {
  return hash('sha256', identifier, 'base64url');
}
