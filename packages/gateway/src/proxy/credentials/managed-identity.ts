import type { Logger } from 'pino';
import type { EntraRefusal } from '../../entra/entra.ts';
import type { ManagedIdentity } from '../../entra/managed-identity.ts';
import type { BackendFault } from '../backend-proxy.ts';
import type { BackendCredential } from './backend-credential.ts';
import { faultOf, showOther, showToken, tokenOf } from './bearer.ts';

export interface ManagedIdentityCredentialOptions {
  readonly backend: string;
  readonly resource: string;
  /** Closed with the credential. */
  readonly identity: ManagedIdentity;
  readonly log: Pick<Logger, 'warn'>;
}

/** The gateway itself, as Entra vouches for it: a backend that trusts only this identity needs no other protection. */
export function createManagedIdentityCredential(
  options: ManagedIdentityCredentialOptions,
): BackendCredential {
  const { backend, resource, identity, log } = options;

  function explain({ kind, description }: EntraRefusal): BackendFault {
    log.warn({ backend, kind, description }, 'no token of the managed identity for a backend');
    return faultOf({ kind, description });
  }

  return {
    headerNames: ['authorization'],
    headersFor() {
      const token = identity.tokenFor(resource);
      return token instanceof Promise
        ? token.then((later) => showToken(later, explain))
        : showToken(token, explain);
    },
    async renewed(_principal, shown) {
      return showOther(showToken(await identity.tokenFor(resource, tokenOf(shown)), explain), shown);
    },
    close: () => identity.close(),
  };
}
