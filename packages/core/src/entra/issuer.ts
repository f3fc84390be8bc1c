import { err, ok, type Result } from '../base/result.ts';
import { findTenantId, issuerOf } from './authority.ts';

/** Why a token is not from a tenant we trust. */
export type IssuerRefusal = 'tenant-malformed' | 'tenant-not-allowed' | 'issuer-mismatch';

/**
 * Judges who issued a token: `iss` must be exactly the v2 issuer of `tid` at this cloud, and `tid` one of ours.
 *
 * The keys of a cloud sign for all its tenants, so a good signature says nothing about the tenant: without this
 * check anybody's tenant could sign in. No normalisation: Entra always writes the lower-case GUID.
 *
 * @param authorityHost origin of the cloud, without a trailing slash.
 * @param allowedTenants GUIDs; an empty list allows nobody.
 * @returns the tenant id.
 */
export function checkIssuer(
  iss: string,
  tid: string,
  authorityHost: string,
  allowedTenants: readonly string[],
): Result<string, IssuerRefusal> {
  if (findTenantId(tid) !== tid) return err('tenant-malformed');
  if (!allowedTenants.some((allowed) => findTenantId(allowed) === tid)) return err('tenant-not-allowed');
  return iss === issuerOf(authorityHost, tid) ? ok(tid) : err('issuer-mismatch');
}
