/**
 * Claims challenges: what an API, or Entra itself, wants a token to show beside what it shows now, so that Conditional
 * Access or continuous access evaluation is content (Entra: claims challenges; OpenID Connect Core §5.5).
 */

/** A challenge travels on in the address of a sign-in, and such addresses have an end. */
const maxLength = 6000;

/** Whether it is the JSON object that the `claims` parameter of a sign-in takes. */
export function isClaimsChallenge(text: string): boolean {
  if (text.length > maxLength) return false;
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  } catch {
    return false;
  }
}

/**
 * `WWW-Authenticate: Bearer …, error="insufficient_claims", claims="<base64>"`.
 *
 * An API may ask for what its own access token shows, and for nothing else: `id_token` or `userinfo` of its choosing
 * would steer a sign-in that is not about it, and could make it fail.
 *
 * @returns the claims as JSON text; undefined when there is no such challenge, or none that can be read.
 */
export function parseClaimsChallenge(header: string | undefined): string | undefined {
  if (header === undefined || !/\berror="insufficient_claims"/.test(header)) return undefined;
  const encoded = /\bclaims="([A-Za-z0-9+/_=-]{1,8192})"/.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  return isClaimsChallenge(text) ? ofAccessToken(text) : undefined;
}

/** @param text a JSON object. @returns it as it is where nothing had to go. */
function ofAccessToken(text: string): string | undefined {
  const { access_token: wanted, ...others } = JSON.parse(text) as Readonly<Record<string, unknown>>;
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return undefined;
  return Object.keys(others).length === 0 ? text : JSON.stringify({ access_token: wanted });
}
