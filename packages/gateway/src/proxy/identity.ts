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

/** How long finished headers are used again before the age of their signature is looked at. */
const READY_SECONDS = 10;

interface Ready {
  readonly resource: string;
  readonly kid: string;
  readonly madeAtSeconds: number;
  readonly headers: IdentityHeaders;
}

export type IdentityHeaders = Readonly<Record<string, string>>;

export interface IdentitySigner {
  /** The headers that tell this backend who is calling. All of them are dropped from what clients send. */
  headersFor(
    principal: Principal,
    backend: { readonly resource: string },
  ): IdentityHeaders | Promise<IdentityHeaders>;
  /** The key that verifies, for the gateway's key set (RFC 7517). Holds no private part. */
  readonly publicJwk: Readonly<Record<string, string>>;
}

export interface IdentitySignerOptions {
  /** `publicUrl`: the `iss` of every identity. */
  readonly issuer: string;
  /** A function where the key may be rotated meanwhile. */
  readonly signingJwk: SigningJwk | (() => SigningJwk);
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
  const findJwk = typeof signingJwk === 'function' ? signingJwk : () => signingJwk;
  const { d: _private, ...publicJwk } = findJwk();
  let signer = importSigner(findJwk());
  const signed = new Map<string, { readonly signedAtSeconds: number; readonly jwt: Promise<string> }>();

  async function sign(claims: Record<string, unknown>, iat: number): Promise<string> {
    return new SignJWT({ ...claims, iat, exp: iat + IDENTITY_LIFETIME_SECONDS })
      .setProtectedHeader({ alg: 'ES256', kid: signer.kid, typ: IDENTITY_TYPE })
      .sign(signer.key);
  }

  function identityOf(claims: Record<string, unknown>): Promise<string> {
    const now = nowSeconds(clock);
    const jwk = findJwk();
    if (jwk.kid !== signer.kid) {
      signer = importSigner(jwk);
      signed.clear();
    }
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

  /** Ready to be sent, by caller: the verified caller of a token is one object for all its requests. */
  const ready = new WeakMap<Principal, Ready>();

  async function makeHeaders(principal: Principal, resource: string): Promise<IdentityHeaders> {
    const made = {
      resource,
      kid: findJwk().kid,
      madeAtSeconds: nowSeconds(clock),
      headers: {
        [IDENTITY_HEADER]: await identityOf(claimsOf(principal, issuer, resource)),
        // Plain, for a backend that only the gateway can reach; the signed one is the proof.
        'x-valetkey-tenant-id': principal.tenantId,
        'x-valetkey-object-id': principal.objectId,
      },
    };
    // Whatever could still change must be looked at each time.
    if (isFrozen(principal)) ready.set(principal, made);
    return made.headers;
  }

  return {
    publicJwk,
    headersFor(principal, { resource }) {
      const known = ready.get(principal);
      if (known === undefined || known.resource !== resource || known.kid !== findJwk().kid)
        return makeHeaders(principal, resource);
      const age = nowSeconds(clock) - known.madeAtSeconds;
      return age >= 0 && age < READY_SECONDS ? known.headers : makeHeaders(principal, resource);
    },
  };
}

function isFrozen(principal: Principal): boolean {
  const { roles, scopes } = principal;
  return [principal, roles, scopes].every((part) => Object.isFrozen(part));
}

function importSigner(jwk: SigningJwk) {
  return { kid: jwk.kid, key: createPrivateKey({ key: { ...jwk }, format: 'jwk' }) };
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
