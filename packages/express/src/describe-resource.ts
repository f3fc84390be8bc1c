import { issuerOf } from '@valetkey/core/entra/authority';
import type { ProtectedResource } from '@valetkey/gateway/config/config';
import type { OwnServerConfig } from '@valetkey/gateway/config/own-server';
import { protectedResourceMetadata } from '@valetkey/gateway/oauth/metadata';

/**
 * Protected-resource metadata (RFC 9728 §2): who issues tokens for this server. Ourselves first; then Entra, one issuer
 * for each tenant.
 *
 * Where Entra is alone, the scopes carry the name of their API: a bare one would be taken for one of Microsoft Graph
 * (Entra: AADSTS650053). That name is the address of the endpoint, since Entra compares it with the `resource` that
 * every MCP client sends (AADSTS9010010).
 */
export function describeResource(
  config: OwnServerConfig,
): (resource: ProtectedResource) => Record<string, unknown> {
  const { server, direct } = config;
  return (resource) => {
    const own = protectedResourceMetadata(config, resource);
    if (direct === undefined) return own;
    const entra = direct.tenants.map((tenant) => issuerOf(direct.cloud.authorityHost, tenant));
    if (server !== undefined) return { ...own, authorization_servers: [config.publicUrl, ...entra] };
    return {
      ...own,
      authorization_servers: entra,
      scopes_supported: resource.scopes.map(({ name }) => `${resource.resource}/${name}`),
    };
  };
}
