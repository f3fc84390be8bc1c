import { err, ok, type Result } from '@valetkey/core/base/result';
import { judgeRedirectUris, type RedirectJudgement } from './redirect-uri.ts';

const supportedGrants = ['authorization_code', 'refresh_token'];
const supportedAuthMethods = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'];
const maxNameLength = 200;
const maxRedirects = 20;
const textFields = [
  'client_name',
  'client_uri',
  'logo_uri',
  'policy_uri',
  'tos_uri',
  'software_id',
  'software_version',
];

/** A client's own description of itself, brought to what we support. */
export interface NormalizedClient {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly refusedRedirectUris: RedirectJudgement['refused'];
}

export interface ClientMetadataFault {
  /** RFC 7591 §3.2.2. */
  readonly error: 'invalid_client_metadata' | 'invalid_redirect_uri';
  readonly description: string;
}

/**
 * Reads client metadata (RFC 7591 §2) from a registration or from a client id metadata document.
 *
 * Real clients send more than they use, so what we do not support is dropped rather than refused: unknown grant
 * types (VS Code lists `device_code`), response types beside `code`, single redirect URIs that may not be used.
 * What remains is echoed, as RFC 7591 §3.2.1 asks. `scope` is dropped too: what a client may have is decided per
 * sign-in, by the person and by policy.
 *
 * @param defaultAuthMethod what an absent `token_endpoint_auth_method` means: `client_secret_basic` for a
 *   registration (RFC 7591 §2), `none` for a metadata document, which cannot hold a secret.
 */
export function normalizeClientMetadata(
  input: Readonly<Record<string, unknown>>,
  options: { readonly privateUse: ReadonlySet<string>; readonly defaultAuthMethod: string },
): Result<NormalizedClient, ClientMetadataFault> {
  const redirectUris = input['redirect_uris'];
  if (!Array.isArray(redirectUris) || redirectUris.length === 0) {
    return err({
      error: 'invalid_redirect_uri',
      description: 'redirect_uris must be a list of at least one URI',
    });
  }
  if (redirectUris.length > maxRedirects) {
    return err({
      error: 'invalid_redirect_uri',
      description: `redirect_uris may hold ${maxRedirects} URIs at most`,
    });
  }
  const judgement = judgeRedirectUris(redirectUris, options.privateUse);
  if (judgement.accepted.length === 0) {
    const reasons = judgement.refused.map((refusal) => `${refusal.uri} ${refusal.reason}`).join('; ');
    return err({ error: 'invalid_redirect_uri', description: `no redirect URI can be used: ${reasons}` });
  }
  const authMethod = input['token_endpoint_auth_method'] ?? options.defaultAuthMethod;
  if (typeof authMethod !== 'string' || !supportedAuthMethods.includes(authMethod)) {
    return invalid(`token_endpoint_auth_method must be one of ${supportedAuthMethods.join(', ')}`);
  }
  const kept: Record<string, unknown> = {};
  for (const field of textFields) {
    const value = input[field];
    if (value === undefined || value === null || value === '') continue;
    if (typeof value !== 'string' || value.length > 2048)
      return invalid(`${field} must be a string of 2048 characters at most`);
    if (field.endsWith('_uri') && !isWebUrl(value)) continue;
    kept[field] = field === 'client_name' ? value.slice(0, maxNameLength) : value;
  }
  const keys = input['jwks_uri'] === undefined ? { jwks: input['jwks'] } : { jwks_uri: input['jwks_uri'] };
  return ok({
    metadata: {
      ...kept,
      ...(authMethod === 'private_key_jwt' ? keys : {}),
      redirect_uris: judgement.accepted,
      application_type: judgement.applicationType,
      grant_types: keptGrants(input['grant_types']),
      response_types: ['code'],
      token_endpoint_auth_method: authMethod,
    },
    refusedRedirectUris: judgement.refused,
  });
}

/** Clients that omit the list mean `authorization_code` (RFC 7591 §2), yet all of them refresh: both are given. */
function keptGrants(requested: unknown): string[] {
  if (!Array.isArray(requested)) return supportedGrants;
  const kept = supportedGrants.filter((grant) => requested.includes(grant));
  return kept.includes('authorization_code') ? kept : ['authorization_code', ...kept];
}

function invalid(description: string): Result<never, ClientMetadataFault> {
  return err({ error: 'invalid_client_metadata', description });
}

function isWebUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:');
}
