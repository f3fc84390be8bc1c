/** Is this one of Entra's own access tokens for us? The other front door, under the same policy. */
import { nowSeconds } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { hashToken } from '@valetkey/core/crypto/token-hash';
import type { Principal } from '@valetkey/core/policy/principal';
import {
  type AccessTokenExpectation,
  type EntraAccessToken,
  verifyEntraToken,
} from '../entra/access-token.ts';
import type { TokenFault, TokenVerifier, VerifiedToken } from './verify-token.ts';

export interface EntraTokenVerifierOptions extends AccessTokenExpectation {
  /** Accept tokens that no person stands behind, for what their app roles allow. */
  readonly allowsApplications: boolean;
  /** Tokens remembered after their verification; default 10,000. */
  readonly maxCached?: number;
}

/**
 * A token that was good once is remembered by its hash until it expires, so a busy client costs one signature check.
 * Entra's tokens cannot be revoked; they live for about an hour.
 *
 * The resource is not compared: the token's audience is an API of Entra's, which is one and the same MCP server.
 *
 * @throws OutboundFailed from `verify`, when Entra's keys are needed and cannot be fetched.
 */
export function createEntraTokenVerifier(options: EntraTokenVerifierOptions): TokenVerifier {
  const { clock, allowsApplications, maxCached = 10_000 } = options;
  const known = new Map<string, VerifiedToken>();

  function remember(id: string, token: VerifiedToken): void {
    known.delete(id);
    known.set(id, token);
    for (const oldest of known.keys()) {
      if (known.size <= maxCached) break;
      known.delete(oldest);
    }
  }

  return {
    async verify(token, _resource, id = hashToken(token)): Promise<Result<VerifiedToken, TokenFault>> {
      const remembered = known.get(id);
      if (remembered !== undefined) {
        if (nowSeconds(clock) < remembered.expiresAtSeconds) return ok(remembered);
        known.delete(id);
        return err('expired');
      }
      const verified = await verifyEntraToken(token, options);
      if (!verified.ok) return verified;
      if (verified.value.isApplication && !allowsApplications) return err('application');
      const described = describe(verified.value);
      remember(id, described);
      return ok(described);
    },
  };
}

/** Frozen all through: one object serves every request of the token. */
function describe(token: EntraAccessToken): VerifiedToken {
  const { claims, clientId, tokenId, issuedAtSeconds, expiresAtSeconds, isApplication } = token;
  const principal: Principal = {
    tenantId: claims.tenantId,
    objectId: claims.objectId,
    ...(claims.displayName === undefined ? {} : { displayName: claims.displayName }),
    ...(claims.username === undefined ? {} : { username: claims.username }),
    roles: Object.freeze([...claims.roles]),
    groups: Object.freeze([...claims.groups]),
    scopes: Object.freeze([...claims.scopes]),
    clientId,
    // There is no sign-in of ours behind it: the token is all there is.
    sessionId: tokenId,
    ...(isApplication ? { isApplication } : {}),
  };
  return Object.freeze({
    principal: Object.freeze(principal),
    tokenId,
    issuedAtSeconds,
    expiresAtSeconds,
  });
}
