import type { Clock } from '@valetkey/core/base/clock';
import type { Logger } from 'pino';
import type { BackendConfig } from '../../config/config.ts';
import type { PersonTokens } from '../../entra/entra.ts';
import { createManagedIdentity } from '../../entra/managed-identity.ts';
import type { IdentitySigner } from '../identity.ts';
import { type BackendCredential, createFixedCredential } from './backend-credential.ts';
import { createIdentityJwtCredential } from './identity-jwt.ts';
import { createManagedIdentityCredential } from './managed-identity.ts';
import { createPersonTokenCredential, type DemandSignIn } from './person-token.ts';

export interface CredentialServices {
  readonly tokens: Pick<PersonTokens, 'tokenFor'>;
  readonly identity: IdentitySigner;
  readonly demandSignIn: DemandSignIn;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  /** PEM file of an additional CA for the way to a managed identity endpoint. */
  readonly caFile?: string | undefined;
}

/** The credential that the configuration names. Asks nobody anything before the first request. */
// oxlint-disable-next-line consistent-return -- the compiler proves that every kind is opened
export function openCredential(
  { name, resource, credential }: Pick<BackendConfig, 'name' | 'resource' | 'credential'>,
  services: CredentialServices,
): BackendCredential {
  const { tokens, identity, demandSignIn, clock, log, caFile } = services;
  if (credential === undefined) return createFixedCredential({});
  switch (credential.kind) {
    case 'header':
      return createFixedCredential({ [credential.header]: credential.value.reveal() });
    case 'managedIdentity':
      return createManagedIdentityCredential({
        backend: name,
        resource: credential.resource,
        identity: createManagedIdentity({ clientId: credential.clientId, clock, caFile }),
        log,
      });
    case 'entra': {
      const { scopes, flow } = credential;
      return createPersonTokenCredential({ backend: name, scopes, flow, tokens, demandSignIn, log });
    }
    case 'identityJwt':
      return createIdentityJwtCredential({ resource, header: credential.header, identity });
  }
}
