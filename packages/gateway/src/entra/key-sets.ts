import type { JWTVerifyGetKey } from 'jose';
import type { Authorities } from './authority.ts';
import { createKeySet } from './id-token.ts';
import type { Outbound } from './outbound.ts';

/** The key sets of tenants: one for each address that their discovery documents name. */
export function createKeySets(
  authorities: Authorities,
  outbound: Outbound,
): (tenantId: string) => Promise<JWTVerifyGetKey> {
  const keySets = new Map<string, JWTVerifyGetKey>();
  return async (tenantId) => {
    const { jwksUri } = await authorities.find(tenantId);
    const known = keySets.get(jwksUri) ?? createKeySet(jwksUri, outbound);
    keySets.set(jwksUri, known);
    return known;
  };
}
