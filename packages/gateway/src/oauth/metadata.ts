import type { ProtectedResource, ServerConfig } from '../config/config.ts';

/** What of oidc-provider's discovery document is true of us; the rest (claims, id tokens, …) is not listed. */
const keptFields = [
  'issuer',
  'authorization_endpoint',
  'token_endpoint',
  'registration_endpoint',
  'revocation_endpoint',
  'jwks_uri',
  'response_types_supported',
  'response_modes_supported',
  'grant_types_supported',
  'code_challenge_methods_supported',
  'token_endpoint_auth_methods_supported',
  'token_endpoint_auth_signing_alg_values_supported',
  'authorization_response_iss_parameter_supported',
  'client_id_metadata_document_supported',
  // Required by OpenID Connect Discovery §3, whose form of the document clients try too.
  'subject_types_supported',
  'id_token_signing_alg_values_supported',
];

/**
 * The authorization server's metadata (RFC 8414 §2), the same bytes at both well-known forms.
 *
 * `scopes_supported` leads with the backends' scopes and ends with `offline_access`: claude.ai asks for the whole
 * list in its order, and a client asks for refresh tokens only if they are announced here.
 */
export function authorizationServerMetadata(
  discovery: Readonly<Record<string, unknown>>,
  resources: readonly ProtectedResource[],
): Record<string, unknown> {
  const kept = Object.fromEntries(
    keptFields.filter((field) => discovery[field] !== undefined).map((field) => [field, discovery[field]]),
  );
  const methods = discovery['token_endpoint_auth_methods_supported'];
  return {
    ...kept,
    scopes_supported: supportedScopes(resources),
    revocation_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_signing_alg_values_supported:
      discovery['token_endpoint_auth_signing_alg_values_supported'],
  };
}

function supportedScopes(resources: readonly ProtectedResource[]): string[] {
  const scopes = resources.flatMap((resource) => resource.scopes.map((scope) => scope.name));
  return [...new Set([...scopes, 'offline_access'])];
}

/** Protected-resource metadata of one resource (RFC 9728 §2). Never lists `offline_access` (MCP 2026-07-28). */
export function protectedResourceMetadata(
  { publicUrl }: Pick<ServerConfig, 'publicUrl'>,
  { resource, title, scopes }: ProtectedResource,
): Record<string, unknown> {
  return {
    resource,
    resource_name: title,
    authorization_servers: [publicUrl],
    scopes_supported: scopes.map((scope) => scope.name),
    bearer_methods_supported: ['header'],
  };
}
