/** Checks an access token that Entra made for this API, of either version of its tokens. */
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { hashToken } from '@valetkey/core/crypto/token-hash';
import { findTenantId, issuerOf } from '@valetkey/core/entra/authority';
import { type EntraClaims, parseEntraClaims } from '@valetkey/core/entra/claims';
import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { CloudConfig } from '../config/config.ts';

export interface AccessTokenExpectation {
  readonly cloud: Pick<CloudConfig, 'name' | 'authorityHost'>;
  readonly tenants: readonly string[];
  /** Accepted values of `aud`: the API's client id, its App ID URI. */
  readonly audience: readonly string[];
  /** The key set of a tenant; asked only for an allowed one. */
  readonly keysOf: (tenantId: string) => Promise<JWTVerifyGetKey>;
  readonly clock: Clock;
}

export interface EntraAccessToken {
  readonly claims: EntraClaims;
  /** The app that asked: `azp`, or `appid` in version 1. */
  readonly clientId: string;
  /** `uti`, or a hash where there is none: of this one token. */
  readonly tokenId: string;
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
  /** No person stands behind it. */
  readonly isApplication: boolean;
}

export type AccessTokenFault =
  | 'malformed'
  | 'forged'
  | 'expired'
  | 'wrong_audience'
  | 'wrong_issuer'
  | 'wrong_tenant';

/** Clocks differ; Entra's own libraries allow 300. */
const clockToleranceSeconds = 120;

/**
 * The signature, the issuer of an allowed tenant, the audience and the times. Entra is asked for its keys and for
 * nothing else (D1).
 *
 * @throws OutboundFailed when the tenant's keys cannot be fetched.
 */
export async function verifyEntraToken(
  token: string,
  expected: AccessTokenExpectation,
): Promise<Result<EntraAccessToken, AccessTokenFault>> {
  const { clock } = expected;
  const issuer = readIssuer(token, expected);
  if (!issuer.ok) return issuer;
  const { iss, tenantId } = issuer.value;
  try {
    const { payload } = await jwtVerify(token, await expected.keysOf(tenantId), {
      algorithms: ['RS256'],
      issuer: iss,
      audience: [...expected.audience],
      requiredClaims: ['exp', 'iat', 'nbf', 'aud', 'oid', 'tid'],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(clock.nowMs()),
    });
    return describe(token, payload, nowSeconds(clock));
  } catch (error) {
    return err(faultOf(error));
  }
}

/**
 * Who the token says it is from, before its signature is checked. It only selects the keys, among those of allowed
 * tenants; the verification then covers both claims.
 */
function readIssuer(
  token: string,
  { cloud, tenants }: AccessTokenExpectation,
): Result<{ readonly iss: string; readonly tenantId: string }, AccessTokenFault> {
  const { iss, tid } = decode(token);
  if (typeof iss !== 'string' || typeof tid !== 'string') return err('malformed');
  const tenantId = findTenantId(tid);
  if (tenantId !== tid) return err('malformed');
  if (!tenants.includes(tenantId)) return err('wrong_tenant');
  const isOurs = iss === issuerOf(cloud.authorityHost, tenantId) || iss === firstIssuerOf(cloud, tenantId);
  return isOurs ? ok({ iss, tenantId }) : err('wrong_issuer');
}

function decode(token: string): JWTPayload {
  try {
    return decodeJwt(token);
  } catch {
    return {};
  }
}

/** Version 1 tokens have an issuer of another host (Entra: access token claims, `iss`). */
function firstIssuerOf({ name, authorityHost }: AccessTokenExpectation['cloud'], tenantId: string): string {
  const hosts = {
    public: 'https://sts.windows.net',
    usgov: 'https://sts.windows.net',
    china: 'https://sts.chinacloudapi.cn',
    custom: authorityHost,
  };
  return `${hosts[name]}/${tenantId}/`;
}

function describe(
  token: string,
  payload: JWTPayload,
  now: number,
): Result<EntraAccessToken, AccessTokenFault> {
  const claims = parseEntraClaims(payload);
  const clientId = payload['azp'] ?? payload['appid'];
  const { exp = 0, iat = now } = payload;
  if (!claims.ok || typeof clientId !== 'string' || clientId === '') return err('malformed');
  // The tolerance is for tokens from the future: one that has ended is not good again on its first use.
  if (exp <= now) return err('expired');
  const { uti } = payload as { readonly uti?: unknown };
  return ok({
    claims: { ...claims.value, ...nameOf(claims.value, payload) },
    clientId,
    // Under it tokens for other APIs are kept: two people's must never have the same one.
    tokenId: typeof uti === 'string' && uti !== '' ? uti : hashToken(token),
    issuedAtSeconds: iat,
    expiresAtSeconds: exp,
    // `idtyp` is there only if the API asks for it; but a person's token has scopes, and an application's has none.
    isApplication: claims.value.isAppOnly || claims.value.scopes.length === 0,
  });
}

/** Version 1 tokens say `upn` or `unique_name` where version 2 says `preferred_username`. */
function nameOf({ username }: EntraClaims, payload: JWTPayload): { readonly username?: string } {
  if (username !== undefined) return {};
  const name = payload['upn'] ?? payload['unique_name'];
  return typeof name === 'string' ? { username: name } : {};
}

function faultOf(error: unknown): AccessTokenFault {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return error.claim === 'aud' ? 'wrong_audience' : error.claim === 'iss' ? 'wrong_issuer' : 'malformed';
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey)
    return 'forged';
  if (error instanceof errors.JOSEError) return 'malformed';
  throw error;
}
