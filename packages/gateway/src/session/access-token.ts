/**
 * What an access token of ours says (JWE `dir` + A256GCM; RFC 9068 claim names where one exists). `oauth` issues
 * it through oidc-provider, `enforce` verifies it without a store read.
 */
export interface AccessTokenClaims {
  readonly iss: string;
  /** One protected resource, never a list. */
  readonly aud: string;
  /** `personId`: `<tid>.<oid>`. */
  readonly sub: string;
  readonly client_id: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  /** Space separated. */
  readonly scope?: string;
  readonly tid: string;
  readonly oid: string;
  /** Session id. */
  readonly sid: string;
  readonly roles: readonly string[];
  readonly groups?: readonly string[];
  readonly name?: string;
  readonly preferred_username?: string;
}
