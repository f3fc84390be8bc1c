/** `WWW-Authenticate` of our refusals (RFC 6750 §3, RFC 9728 §5.1, MCP Authorization). */

export interface Challenge {
  /** Absent when the request carried no token: there is no error to name (RFC 6750 §3.1). */
  readonly error?: 'invalid_token' | 'insufficient_scope';
  readonly errorDescription?: string;
  /** What the client should ask for: of the backend on 401, of the whole operation on 403. */
  readonly scopes: readonly string[];
  readonly resourceMetadataUrl: string;
}

/** @param path the path of the protected resource, with its leading slash (RFC 9728 §3.1 path insertion). */
export function resourceMetadataUrl(publicUrl: string, path: string): string {
  return `${publicUrl}/.well-known/oauth-protected-resource${path}`;
}

/** The header's value. Every parameter is quoted, so a value can never become another parameter. */
export function createChallenge(challenge: Challenge): string {
  const parameters: [string, string][] = [];
  if (challenge.error !== undefined) parameters.push(['error', challenge.error]);
  if (challenge.errorDescription !== undefined) {
    parameters.push(['error_description', challenge.errorDescription]);
  }
  parameters.push(['resource_metadata', challenge.resourceMetadataUrl]);
  if (challenge.scopes.length > 0) parameters.push(['scope', challenge.scopes.join(' ')]);
  return `Bearer ${parameters.map(([name, value]) => `${name}="${quotable(value)}"`).join(', ')}`;
}

/**
 * RFC 6750 §3 allows neither `"` nor `\` in these values, not even escaped, and a header has room for ASCII only.
 */
function quotable(value: string): string {
  return value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
