/**
 * Room `keys`: the RSA keys the tenant signs with, and their JWKS. Two are published at any time, as Entra publishes several:
 * a client that takes the first key, or that never asks again for an unknown kid, fails here as it fails there.
 */
import { createHash, generateKeyPair, type KeyObject, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { createLocalJWKSet, exportJWK, type JWK, type JWTVerifyGetKey, SignJWT } from 'jose';
import { createSelfSigned } from './certificates.ts';

export interface SigningKeys {
  /** Signs with the active key. Extra header members come before nothing: `typ`, `alg`, `kid`, `x5t` are always there. */
  sign(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** The public JWKS; `issuer` is Entra's own addition to each key. */
  publish(issuer: string): { readonly keys: readonly JWK[] };
  /** Finds a published key for a token's header: for tokens the emulator itself has issued. */
  readonly find: JWTVerifyGetKey;
  /** A new key signs from now on, the one before it stays published, the oldest goes. */
  rotate(): Promise<void>;
  /** For a snapshot: private keys and all. */
  export(): readonly SigningKey[];
  import(keys: readonly SigningKey[]): void;
}

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicJwk: JWK;
  readonly kid: string;
}

export async function createSigningKeys(nowMs: () => number): Promise<SigningKeys> {
  let keys: readonly SigningKey[] = await Promise.all([createKey(nowMs()), createKey(nowMs())]);
  const publicKeys = () => ({ keys: keys.map((key) => key.publicJwk) });

  return {
    async sign(claims, header = {}) {
      const active = keys[0];
      if (active === undefined) throw new Error('no signing key');
      return new SignJWT(claims)
        .setProtectedHeader({ typ: 'JWT', alg: 'RS256', ...header, x5t: active.kid, kid: active.kid })
        .sign(active.privateKey);
    },
    publish: (issuer) => ({ keys: keys.map((key) => ({ ...key.publicJwk, issuer })) }),
    find: (header, token) => createLocalJWKSet(publicKeys())(header, token),
    async rotate() {
      const fresh = await createKey(nowMs());
      keys = [fresh, ...keys.slice(0, 1)];
    },
    export: () => keys,
    import(kept) {
      keys = kept;
    },
  };
}

/** The kid is the SHA-1 thumbprint of a certificate around the key, which is what Entra does. */
async function createKey(nowMs: number): Promise<SigningKey> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const certificate = new X509Certificate(
    createSelfSigned('accounts.accesscontrol.emulator', { publicKey, privateKey }, nowMs),
  );
  const kid = createHash('sha1').update(certificate.raw).digest('base64url');
  const jwk = await exportJWK(publicKey);
  const publicJwk: JWK = {
    ...jwk,
    use: 'sig',
    alg: 'RS256',
    kid,
    x5t: kid,
    x5c: [certificate.raw.toString('base64')],
  };
  return { privateKey, publicJwk, kid };
}
