/** Is this one of our access tokens, for this resource, now? Answered from the token and the key ring alone. */
import { CLOCK_DIFFERENCE_SECONDS, type Clock, nowSeconds } from '@valetkey/core/base/clock';
import type { Eventually } from '@valetkey/core/base/eventually';
import { createRecent } from '@valetkey/core/base/recent';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import { hashToken } from '@valetkey/core/crypto/token-hash';
import type { Principal } from '@valetkey/core/policy/principal';
import { type CompactJWEHeaderParameters, errors, jwtDecrypt } from 'jose';
import type { AccessTokenClaims } from '../session/access-token.ts';
import { rightsOf } from '../session/revocations.ts';
import { parseAccessTokenClaims } from './access-token-claims.ts';

/** Why a token is not accepted. For audit only: on the wire they are all the same `invalid_token` (A49). */
export type TokenFault =
  | 'malformed'
  | 'forged'
  | 'expired'
  | 'from_future'
  | 'wrong_audience'
  | 'wrong_issuer'
  | 'revoked'
  | 'outdated'
  /** Of Entra's own tokens only. */
  | 'wrong_tenant'
  /** No person stands behind it, and only people are let in. */
  | 'application';

export interface VerifiedToken {
  readonly principal: Principal;
  /** `jti`. */
  readonly tokenId: string;
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
}

export type Verdict = Result<VerifiedToken, TokenFault>;

export interface TokenVerifier {
  /**
   * @param resource the resource the request was sent to: the only audience accepted, byte for byte.
   * @param hash `hashToken(token)`, where it is known.
   */
  verify(token: string, resource: string, hash?: string): Eventually<Verdict>;
}

export interface TokenVerifierOptions {
  /** `publicUrl`, byte for byte. */
  readonly issuer: string;
  readonly keyRing: Pick<KeyRing, 'find'>;
  readonly clock: Clock;
  /** Whether the sign-in behind the token has ended. Asked on every request, so it must not read a store. */
  readonly isRevoked: (sessionId: string) => boolean;
  /** Whether the person's roles or groups have changed since. Like `isRevoked`. Default: never. */
  readonly isOutdated?: (sessionId: string, rights: () => string) => boolean;
  /** Tokens remembered after decryption; default 10,000. */
  readonly maxCached?: number;
}

interface Opened {
  readonly claims: AccessTokenClaims;
  readonly verified: VerifiedToken;
}

/**
 * Verifies access tokens: JWE compact, `dir` with A256GCM under a key of the ring, nothing else.
 *
 * A token that opened once is remembered by its hash, so a busy client costs one decryption. Only the decryption
 * is remembered: issuer, audience, expiry and revocation are judged anew on every request. Tokens that did not
 * open are not remembered, so garbage cannot push good ones out.
 */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { issuer, keyRing, clock, isRevoked, isOutdated = () => false, maxCached = 10_000 } = options;
  const opened = createRecent<string, Opened>(maxCached);

  function judge({ claims, verified }: Opened, resource: string): Result<VerifiedToken, TokenFault> {
    if (claims.iss !== issuer) return err('wrong_issuer');
    if (claims.aud !== resource) return err('wrong_audience');
    if (claims.exp <= nowSeconds(clock)) return err('expired');
    // Made by a replica whose clock is wrong: its revocation could be forgotten here before it ends.
    if (claims.iat > nowSeconds(clock) + CLOCK_DIFFERENCE_SECONDS) return err('from_future');
    if (isRevoked(claims.sid)) return err('revoked');
    if (isOutdated(claims.sid, () => rightsOf(claims))) return err('outdated');
    return ok(verified);
  }

  async function verifyFresh(id: string, token: string, resource: string): Promise<Verdict> {
    const fresh = await openToken(token, keyRing, clock);
    if (!fresh.ok) return fresh;
    opened.set(id, fresh.value);
    return judge(fresh.value, resource);
  }

  return {
    /** Most tokens are known, and nobody waits for a promise that is kept already. */
    verify(token, resource, id = hashToken(token)) {
      const known = opened.get(id);
      if (known === undefined) return verifyFresh(id, token, resource);
      const verdict = judge(known, resource);
      if (!verdict.ok && verdict.error === 'expired') opened.delete(id);
      return verdict;
    },
  };
}

async function openToken(
  token: string,
  keyRing: Pick<KeyRing, 'find'>,
  clock: Clock,
): Promise<Result<Opened, TokenFault>> {
  try {
    const { payload } = await jwtDecrypt(token, (header) => keyFor(header, keyRing), {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
      typ: 'at+jwt',
      currentDate: new Date(clock.nowMs()),
    });
    const claims = parseAccessTokenClaims(payload);
    return claims === undefined ? err('malformed') : ok({ claims, verified: asVerified(claims) });
  } catch (error) {
    return err(faultOf(error));
  }
}

/**
 * What oidc-provider writes into the protected header of an encrypted access token, and nothing more. `zip` would
 * let a small token grow; `cty` would announce a nested token; `crit` would ask for rules that we do not know.
 */
const headerNames = new Set(['alg', 'enc', 'kid', 'typ', 'iss', 'aud']);

function keyFor(header: CompactJWEHeaderParameters, keyRing: Pick<KeyRing, 'find'>) {
  if (!Object.keys(header).every((name) => headerNames.has(name)))
    throw new errors.JWEInvalid('unexpected header');
  const key = typeof header.kid === 'string' ? keyRing.find('access-token', header.kid)?.key : undefined;
  if (key === undefined) throw new errors.JWEDecryptionFailed();
  return key;
}

function faultOf(error: unknown): TokenFault {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWEDecryptionFailed) return 'forged';
  if (error instanceof errors.JOSEError) return 'malformed';
  throw error;
}

/** Frozen all through: one object serves every request of the token. */
function asVerified(claims: AccessTokenClaims): VerifiedToken {
  const principal: Principal = {
    tenantId: claims.tid,
    objectId: claims.oid,
    ...(claims.name === undefined ? {} : { displayName: claims.name }),
    ...(claims.preferred_username === undefined ? {} : { username: claims.preferred_username }),
    roles: Object.freeze([...claims.roles]),
    groups: Object.freeze([...(claims.groups ?? [])]),
    scopes: Object.freeze((claims.scope ?? '').split(' ').filter((scope) => scope !== '')),
    clientId: claims.client_id,
    sessionId: claims.sid,
  };
  return Object.freeze({
    principal: Object.freeze(principal),
    tokenId: claims.jti,
    issuedAtSeconds: claims.iat,
    expiresAtSeconds: claims.exp,
  });
}
