import { ok } from '@valetkey/core/base/result';
import { IDENTITY_HEADER, type IdentitySigner } from '../identity.ts';
import { type BackendCredential, refused } from './backend-credential.ts';

export interface IdentityJwtCredentialOptions {
  readonly resource: string;
  /** Small letters. With `authorization` the JWT is a bearer token. */
  readonly header: string;
  readonly identity: IdentitySigner;
}

/**
 * The signed identity where a server that verifies tokens already looks for one. Its audience is this backend, so it is
 * worth nothing at another one, and nothing at the gateway, whose own tokens are sealed and no JWTs.
 */
export function createIdentityJwtCredential(options: IdentityJwtCredentialOptions): BackendCredential {
  const { resource, header, identity } = options;
  const prefix = header === 'authorization' ? 'Bearer ' : '';
  return {
    headerNames: [header],
    async headersFor(principal) {
      if (principal === undefined) return ok({});
      const own = await identity.headersFor(principal, { resource });
      return ok({ [header]: `${prefix}${own[IDENTITY_HEADER]}` });
    },
    renewed: async () => refused,
    close: async () => {},
  };
}
