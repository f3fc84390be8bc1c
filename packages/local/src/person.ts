import { ok, err, type Result } from '@valetkey/core/base/result';
import { type EntraClaims, parseEntraClaims } from '@valetkey/core/entra/claims';
import { checkIssuer } from '@valetkey/core/entra/issuer';
import type { Settings } from './options.ts';

/** Who is signed in, by the id token of the sign-in. */
export interface SignedInPerson {
  readonly tenantId: string;
  readonly objectId: string;
  /** For people to read. */
  readonly displayName?: string;
  /** For people to read; never a reason to allow. */
  readonly username?: string;
  /** App roles that the person has in the app registration of this server. */
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  /** In more groups than a token holds: `groups` is then empty, and Microsoft Graph knows them. */
  readonly hasGroupOverage?: boolean;
  /** When this is to be asked for anew: roles change. */
  readonly expiresAtSeconds: number;
}

/**
 * The person of an id token that MSAL got from the token endpoint itself, over TLS, which takes the place of its
 * signature (OpenID Connect Core §3.1.3.7); issuer and tenant are checked here.
 */
export function parsePerson(claims: unknown, settings: Settings): Result<SignedInPerson, string> {
  const parsed = parseEntraClaims(claims);
  if (!parsed.ok) return parsed;
  const { iss, exp, aud } = claims as Readonly<Record<string, unknown>>;
  if (typeof iss !== 'string' || typeof exp !== 'number') return err('the id token has no issuer or no end');
  if (aud !== settings.clientId) return err('the id token is for another app');
  const issuer = checkIssuer(iss, parsed.value.tenantId, settings.authorityHost, [settings.tenant]);
  return issuer.ok ? ok(describe(parsed.value, exp)) : issuer;
}

function describe(claims: EntraClaims, exp: number): SignedInPerson {
  const { tenantId, objectId, displayName, username, roles, groups, hasGroupOverage } = claims;
  return {
    tenantId,
    objectId,
    ...(displayName === undefined ? {} : { displayName }),
    ...(username === undefined ? {} : { username }),
    roles,
    groups,
    ...(hasGroupOverage ? { hasGroupOverage } : {}),
    expiresAtSeconds: exp,
  };
}
