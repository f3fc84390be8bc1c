/** The gateway's word to a backend about who is calling: signed, short-lived, for one backend. */
import { createPrivateKey } from 'node:crypto';
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
import type { SigningJwk } from '@valetkey/core/crypto/key-ring';
import { type Principal, personId } from '@valetkey/core/policy/principal';
import { SignJWT } from 'jose';

/** `typ` of the identity's JWT: keeps it apart from every other token the same key might sign. */
export const IDENTITY_TYPE = 'valetkey-identity+jwt';
export const IDENTITY_HEADER = 'x-valetkey-identity';
export const IDENTITY_LIFETIME_SECONDS = 300;

export interface IdentitySigner {
  /** The headers that tell this backend who is calling. All of them are dropped from what clients send. */
  headersFor(
    principal: Principal,
    backend: { readonly resource: string },
  ): Promise<Readonly<Record<string, string>>>;
  /** The key that verifies, for the gateway's key set (RFC 7517). Holds no private part. */
  readonly publicJwk: Readonly<Record<string, string>>;
}

export interface IdentitySignerOptions {
  /** `publicUrl`: the `iss` of every identity. */
  readonly issuer: string;
  readonly signingJwk: SigningJwk;
  readonly clock: Clock;
  /** Identities remembered; default 10,000. */
  readonly maxCached?: number;
}

/**
 * Signs identities: ES256, valid for 5 minutes, for one backend (`aud`).
 *
 * A signature is used again for the same person, session, roles and scopes until half its life is over, so a
 * busy client costs no asymmetric cryptography, and an identity on its way is never nearly expired.
 */
export function createIdentitySigner(options: IdentitySignerOptions): IdentitySigner {
  const { issuer, clock, signingJwk, maxCached = 10_000 } = options;
  const { d: _private, ...publicJwk } = signingJwk;
  const key = createPrivateKey({ key: { ...signingJwk }, format: 'jwk' });
  const signed = new Map<string, { readonly signedAtSeconds: number; readonly jwt: Promise<string> }>();

  async function sign(claims: Record<string, unknown>, iat: number): Promise<string> {
    return new SignJWT({ ...claims, iat, exp: iat + IDENTITY_LIFETIME_SECONDS })
      .setProtectedHeader({ alg: 'ES256', kid: signingJwk.kid, typ: IDENTITY_TYPE })
      .sign(key);
  }

  function identityOf(claims: Record<string, unknown>): Promise<string> {
    const now = nowSeconds(clock);
    const id = JSON.stringify(claims);
    const known = signed.get(id);
    const age = known === undefined ? Number.POSITIVE_INFINITY : now - known.signedAtSeconds;
    if (known !== undefined && age >= 0 && age < IDENTITY_LIFETIME_SECONDS / 2) return known.jwt;
    const jwt = sign(claims, now);
    signed.delete(id);
    signed.set(id, { signedAtSeconds: now, jwt });
    for (const oldest of signed.keys()) {
      if (signed.size <= maxCached) break;
      signed.delete(oldest);
    }
    return jwt;
  }

  return {
    publicJwk,
    async headersFor(principal, backend) {
      return {
        [IDENTITY_HEADER]: await identityOf(claimsOf(principal, issuer, backend.resource)),
        // Plain, for a backend that only the gateway can reach; the signed one is the proof.
        'x-valetkey-tenant-id': principal.tenantId,
        'x-valetkey-object-id': principal.objectId,
      };
    },
  };
}

function claimsOf(principal: Principal, iss: string, aud: string): Record<string, unknown> {
  return {
    iss,
    aud,
    sub: personId(principal),
    tid: principal.tenantId,
    oid: principal.objectId,
    sid: principal.sessionId,
    client_id: principal.clientId,
    roles: principal.roles,
    scope: principal.scopes.join(' '),
    ...(principal.displayName === undefined ? {} : { name: principal.displayName }),
    ...(principal.username === undefined ? {} : { preferred_username: principal.username }),
  };
}
