/** The request that sends a browser to Entra's authorize endpoint. */
import { createHash } from 'node:crypto';
import type { RandomBytes } from '@valetkey/core/base/random';
import { randomId } from '@valetkey/core/base/random';
import type { SignInSecrets } from './entra.ts';

/** Without `offline_access` Entra gives no refresh token, and a session could not outlive its first hour (D21). */
const openIdScopes = ['openid', 'profile', 'offline_access'];

/** New for each sign-in. 32 random bytes are 43 characters, the least that RFC 7636 §4.1 allows (D61). */
export function createSignInSecrets(random: RandomBytes): SignInSecrets {
  return { codeVerifier: randomId(random), nonce: randomId(random) };
}

export interface AuthorizeRequest {
  readonly endpoint: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly state: string;
  readonly secrets: SignInSecrets;
  readonly prompt?: 'select_account' | 'login';
  readonly loginHint?: string;
  /** A claims challenge, as JSON (OpenID Connect Core §5.5). */
  readonly claims?: string;
}

/**
 * `response_mode=query`, because the browser would not send our SameSite=Lax cookie with a cross-site form post.
 *
 * There is no `resource` and there never may be: the MCP client's resource is ours, not Entra's
 * (Entra: AADSTS9010010).
 */
export function buildAuthorizeUrl(request: AuthorizeRequest): string {
  const url = new URL(request.endpoint);
  const parameters: Record<string, string> = {
    client_id: request.clientId,
    response_type: 'code',
    redirect_uri: request.redirectUri,
    response_mode: 'query',
    scope: [...new Set([...openIdScopes, ...request.scopes])].join(' '),
    state: request.state,
    nonce: request.secrets.nonce,
    code_challenge: createHash('sha256').update(request.secrets.codeVerifier, 'ascii').digest('base64url'),
    code_challenge_method: 'S256',
  };
  if (request.prompt !== undefined) parameters['prompt'] = request.prompt;
  // A hint would preselect the account that `select_account` asks the person to choose.
  if (request.loginHint !== undefined && request.prompt !== 'select_account') {
    parameters['login_hint'] = request.loginHint;
  }
  if (request.claims !== undefined) parameters['claims'] = request.claims;
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/**
 * The scopes to name when the code is redeemed: `/authorize` may ask for several resources at once, `/token`
 * answers for one. The first one is taken; the refresh token is good for all of them.
 */
export function selectRedeemedScopes(scopes: readonly string[]): string[] {
  const first = scopes.find((scope) => !openIdScopes.includes(scope));
  if (first === undefined) return [];
  return scopes.filter((scope) => !openIdScopes.includes(scope) && resourceOf(scope) === resourceOf(first));
}

/** `api://app/access` belongs to `api://app`; a bare scope to Microsoft Graph, as at Entra. */
function resourceOf(scope: string): string {
  const end = scope.lastIndexOf('/');
  return end === -1 ? '' : scope.slice(0, end);
}
