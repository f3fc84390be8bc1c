/** For tests: access tokens as `oauth` issues them, and every way to get one wrong. */
import { randomBytes } from 'node:crypto';
import { createKeyRing, type KeyRing, parseKeyRing } from '@valetkey/core/crypto/key-ring';
import { CompactEncrypt } from 'jose';
import type { AccessTokenClaims } from '../session/access-token.ts';

export const issuer = 'https://mcp.contoso.test';
export const resource = `${issuer}/snippets/mcp`;
export const nowSeconds = 1_800_000_000;

export function openTestRing(): KeyRing {
  const ring = parseKeyRing(createKeyRing(randomBytes, nowSeconds));
  if (!ring.ok) throw new Error(ring.error);
  return ring.value;
}

export const claims: AccessTokenClaims = {
  iss: issuer,
  aud: resource,
  sub: 'tenant-1.anna',
  client_id: 'client-1',
  jti: 'token-1',
  iat: nowSeconds,
  exp: nowSeconds + 3600,
  scope: 'snippets.use',
  tid: 'tenant-1',
  oid: 'anna',
  sid: 'session-1',
  roles: ['Snippets.Reader'],
};

export interface IssueOptions {
  readonly header?: Record<string, unknown>;
  readonly key?: Uint8Array;
  /** The plaintext, where it is not the claims as JSON. */
  readonly plaintext?: string;
}

export async function issueToken(
  ring: KeyRing,
  changes: Record<string, unknown> = {},
  options: IssueOptions = {},
): Promise<string> {
  const { kid, key } = ring.current('access-token');
  const header = {
    alg: 'dir',
    enc: 'A256GCM',
    kid,
    typ: 'at+jwt',
    iss: issuer,
    aud: resource,
    ...options.header,
  };
  const plaintext = options.plaintext ?? JSON.stringify({ ...claims, ...changes });
  return new CompactEncrypt(Buffer.from(plaintext))
    .setProtectedHeader(JSON.parse(JSON.stringify(header)))
    .encrypt(options.key ?? key);
}
