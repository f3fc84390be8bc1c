/** Checks Entra's id token. MSAL reads its claims but never its signature. */
import { CLOCK_DIFFERENCE_SECONDS, type Clock, nowSeconds } from '@valetkey/core/base/clock';
import type { Result } from '@valetkey/core/base/result';
import { err, ok } from '@valetkey/core/base/result';
import { isEqualText } from '@valetkey/core/crypto/equal';
import type { EntraClaims } from '@valetkey/core/entra/claims';
import { parseEntraClaims } from '@valetkey/core/entra/claims';
import type { IssuerRefusal } from '@valetkey/core/entra/issuer';
import { checkIssuer } from '@valetkey/core/entra/issuer';
import type { JWTVerifyGetKey } from 'jose';
import { createRemoteJWKSet, customFetch, decodeJwt, errors, jwtVerify } from 'jose';
import type { EntraPerson } from './entra.ts';
import type { Outbound } from './outbound.ts';
import { OutboundFailed } from './outbound.ts';

export interface IdTokenExpectation {
  readonly clientId: string;
  /** Tenants that may sign in here. */
  readonly tenants: readonly string[];
  /** Of this sign-in; undefined after a renewal, whose token carries none. */
  readonly nonce: string | undefined;
  readonly authorityHost: string;
  /** The key set of a tenant; asked only for an allowed one. */
  readonly keysOf: (tenantId: string) => Promise<JWTVerifyGetKey>;
  readonly clock: Clock;
}

/** Clocks differ; Entra's own libraries allow 300. */
const clockToleranceSeconds = 120;
/** The token was redeemed just now: one that is older was not made for this answer. */
const maxAge = '15 minutes';

/**
 * @returns the person, or what is wrong, in words that hold no part of the token.
 * @throws OutboundFailed when the tenant's keys cannot be fetched.
 */
export async function checkIdToken(
  idToken: string,
  expected: IdTokenExpectation,
): Promise<Result<EntraPerson, string>> {
  const unverified = readIssuer(idToken);
  if (unverified === undefined) return err('the id token cannot be read');
  const { iss, tid, iat } = unverified;
  const tenant = checkIssuer(iss, tid, expected.authorityHost, expected.tenants);
  if (!tenant.ok) return err(issuerFaults[tenant.error]);
  try {
    const { payload } = await jwtVerify(idToken, await expected.keysOf(tenant.value), {
      algorithms: ['RS256'],
      issuer: iss,
      audience: expected.clientId,
      requiredClaims: ['exp', 'iat', 'nbf', 'sub', 'oid', 'tid'],
      maxTokenAge: maxAge,
      clockTolerance: clockToleranceSeconds,
      currentDate: dateOfJudgement(iat, expected.clock),
    });
    const claims = parseEntraClaims(payload);
    if (!claims.ok) return err(`the id token has a damaged claim (${claims.error})`);
    if (expected.nonce !== undefined && !isEqualText(claims.value.nonce ?? '', expected.nonce)) {
      return err('the id token was made for another sign-in (nonce)');
    }
    return ok(toPerson(claims.value));
  } catch (error) {
    if (error instanceof errors.JOSEError) return err(`the id token is not valid (${describe(error)})`);
    throw error;
  }
}

const issuerFaults: Readonly<Record<IssuerRefusal, string>> = {
  'tenant-malformed': 'the id token names no tenant',
  'tenant-not-allowed': 'the account belongs to a tenant that may not sign in here',
  'issuer-mismatch': 'the id token comes from another issuer',
};

/**
 * Who the token says it is from, before its signature is checked. It only selects the keys, among those of allowed
 * tenants; the verification then covers all claims.
 */
function readIssuer(
  idToken: string,
): { readonly iss: string; readonly tid: string; readonly iat: unknown } | undefined {
  try {
    const { iss, tid, iat } = decodeJwt(idToken);
    return typeof iss === 'string' && typeof tid === 'string' ? { iss, tid, iat } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A token that Entra made just now comes from the future where our clock is behind; refused, nobody could sign in or
 * refresh at this replica. It came from Entra itself, over TLS, so its own date is as good as ours.
 */
function dateOfJudgement(issuedAt: unknown, clock: Clock): Date {
  const now = nowSeconds(clock);
  const isAhead = typeof issuedAt === 'number' && issuedAt > now;
  return new Date(isAhead && issuedAt - now <= CLOCK_DIFFERENCE_SECONDS ? issuedAt * 1000 : clock.nowMs());
}

function toPerson(claims: EntraClaims): EntraPerson {
  return {
    tenantId: claims.tenantId,
    objectId: claims.objectId,
    ...(claims.displayName === undefined ? {} : { displayName: claims.displayName }),
    ...(claims.username === undefined ? {} : { username: claims.username }),
    roles: claims.roles,
    groups: claims.groups,
    ...(claims.hasGroupOverage ? { hasGroupOverage: true } : {}),
  };
}

/** The claim's name where jose gives one, else its code; never its message, which may quote the token. */
function describe(error: errors.JOSEError): string {
  const claimed = error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired;
  return claimed ? error.claim : error.code;
}

/** How often an unknown key id may ask for the keys again: forged ids must not turn into requests to Entra (D1). */
const keyCooldownMs = 30_000;
const keysFreshForMs = 3600_000;

/** The key set at a URL: fetched when first used, kept for an hour, and again for a key id it does not have. */
export function createKeySet(jwksUri: string, outbound: Outbound): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(jwksUri), {
    cooldownDuration: keyCooldownMs,
    cacheMaxAge: keysFreshForMs,
    [customFetch]: async (url, { headers }) => {
      const answer = await outbound.send({ method: 'GET', url, headers: Object.fromEntries(headers) });
      if (answer.status !== 200)
        throw new OutboundFailed(new URL(url).host, `HTTP ${answer.status} for its keys`);
      return new Response(answer.text, { status: 200 });
    },
  });
}
