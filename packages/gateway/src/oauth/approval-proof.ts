import type { KoaContextWithOIDC } from 'oidc-provider';
import { type RandomBytes, randomId } from '@valetkey/core/base/random';
import { isEqualText } from '@valetkey/core/crypto/equal';
import { hashToken } from '@valetkey/core/crypto/token-hash';
import { findCookie, readCookies, serializeCookie } from '../http/cookies.ts';
import type { Exchange } from '../http/exchange.ts';

/** The browser goes on at once; this leaves room for a restart in between. */
const lifetimeSeconds = 120;

/**
 * Ties an approval to the browser that came back from Entra, by a cookie that exists from this answer on.
 *
 * oidc-provider gives the code to whoever holds the cookie of the request's beginning. That cookie has a path, so it
 * cannot have the `__Host-` prefix, and a neighbouring subdomain can plant it: somebody begins a request in their
 * own browser, has another person's browser approve it, and goes on in their own. This cookie they do not have.
 *
 * @returns what the request keeps: the cookie's hash.
 */
export function proveApproval(
  exchange: Exchange,
  options: { readonly interactionId: string; readonly publicUrl: string; readonly random: RandomBytes },
): string {
  const value = randomId(options.random);
  exchange.res.appendHeader(
    'Set-Cookie',
    serializeCookie(options.publicUrl, cookieNameOf(options.interactionId), value, lifetimeSeconds),
  );
  return hashToken(value);
}

/** Whether the request that is resumed was approved by this browser. An approval without a proof is none. */
export function isApprovedHere(ctx: KoaContextWithOIDC, publicUrl: string): boolean {
  const approvedBy: unknown = ctx.oidc.result?.['approvedBy'];
  const interactionId = ctx.oidc.entities.Interaction?.uid;
  if (typeof approvedBy !== 'string' || interactionId === undefined) return false;
  const cookies = readCookies(ctx.req.headers.cookie);
  const presented = findCookie(publicUrl, cookies, cookieNameOf(interactionId));
  return presented !== undefined && isEqualText(hashToken(presented), approvedBy);
}

/** One per request, so that parallel sign-ins do not overwrite each other (D68). */
function cookieNameOf(interactionId: string): string {
  return `valetkey-approved-${hashToken(interactionId).slice(0, 16)}`;
}
