const guidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the text is a GUID in its usual form, in either case. */
export function isGuid(text: string): boolean {
  return guidPattern.test(text);
}

/**
 * A tenant id in its one form, the lower-case GUID that Entra puts into `tid`; undefined for anything else.
 *
 * Domain names are refused because a domain can move to another tenant, and `common`, `organizations` and
 * `consumers` because they name no tenant at all.
 */
export function findTenantId(text: string): string | undefined {
  return isGuid(text) ? text.toLowerCase() : undefined;
}

/**
 * The authority of one tenant, as MSAL wants it: `https://login.microsoftonline.com/<tid>`.
 *
 * @param authorityHost an origin without a trailing slash.
 * @throws RangeError when the tenant is no GUID: other text could lead to another path of the host.
 */
export function authorityUrl(authorityHost: string, tenantId: string): string {
  const tid = findTenantId(tenantId);
  if (tid === undefined) throw new RangeError('a tenant id is a GUID');
  return `${authorityHost}/${tid}`;
}

/** The issuer of the tenant's v2 tokens, byte for byte. @throws RangeError as `authorityUrl` */
export function issuerOf(authorityHost: string, tenantId: string): string {
  return `${authorityUrl(authorityHost, tenantId)}/v2.0`;
}

/** The tenant's OpenID Connect metadata; Entra has no RFC 8414 document. @throws RangeError as `authorityUrl` */
export function discoveryUrl(authorityHost: string, tenantId: string): string {
  return `${issuerOf(authorityHost, tenantId)}/.well-known/openid-configuration`;
}
