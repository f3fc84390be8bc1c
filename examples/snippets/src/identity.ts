/**
 * Who is calling, as the gateway vouches for it. This is all the sample knows of signing in: a signed header from
 * the gateway it trusts. A header that anybody could have written by hand is not evidence of anything.
 */
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

export interface IdentityOptions {
  /** The gateway's public URL: `iss` of the header's JWT. */
  readonly issuer: string;
  /** This server's resource at the gateway: `aud`. A header made for another backend is refused. */
  readonly audience: string;
  /** Where the gateway publishes its public signing keys. */
  readonly jwksUrl: string;
}

/** The name of the header that carries the identity. */
export const identityHeader = 'x-valetkey-identity';

/** The keys could not be fetched: not the caller's fault, and no reason to believe the caller either. */
export class IdentityKeysUnavailable extends Error {
  override readonly name = 'IdentityKeysUnavailable';
}

/** @returns the person's id, or undefined when the header proves nothing. */
export type VerifyIdentity = (header: string | readonly string[] | undefined) => Promise<string | undefined>;

/**
 * How often an unknown key id may ask for the keys again. jose's own half minute would refuse everybody for so long where
 * the keys were fetched just before they were rotated; a rotation gives five seconds notice.
 */
const keyCooldownMs = 2_000;

/** @throws IdentityKeysUnavailable (from the returned function) when the key set cannot be read. */
export function createIdentityVerifier(options: IdentityOptions): VerifyIdentity {
  const keys = createRemoteJWKSet(new URL(options.jwksUrl), {
    timeoutDuration: 5_000,
    cooldownDuration: keyCooldownMs,
  });
  return async (header) => {
    if (typeof header !== 'string') return undefined;
    try {
      const { payload } = await jwtVerify(header, keys, {
        algorithms: ['ES256'],
        typ: 'valetkey-identity+jwt',
        issuer: options.issuer,
        audience: options.audience,
        requiredClaims: ['sub', 'exp'],
      });
      return payload.sub === '' ? undefined : payload.sub;
    } catch (error) {
      if (isProofFailure(error)) return undefined;
      throw new IdentityKeysUnavailable('the key set of the gateway could not be read', { cause: error });
    }
  };
}

/** What is wrong with the header itself; everything else went wrong on the way to the keys. */
function isProofFailure(error: unknown): boolean {
  return (
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWTExpired ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys
  );
}
