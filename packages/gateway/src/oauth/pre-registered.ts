import type { ClientMetadata } from 'oidc-provider';
import type { PreRegisteredClient } from '../config/config.ts';
import { judgeRedirectUris } from './redirect-uri.ts';

/** Clients of the configuration, as oidc-provider takes them. Their redirects were judged when it was loaded. */
export function preRegisteredClients(
  clients: readonly PreRegisteredClient[],
  privateUse: ReadonlySet<string>,
): ClientMetadata[] {
  return clients.map((client) => ({
    client_id: client.clientId,
    client_name: client.name,
    redirect_uris: [...client.redirectUris],
    application_type: judgeRedirectUris(client.redirectUris, privateUse).applicationType,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...(client.secret === undefined
      ? { token_endpoint_auth_method: 'none' as const }
      : {
          token_endpoint_auth_method: 'client_secret_basic' as const,
          client_secret: client.secret.reveal(),
        }),
  }));
}
