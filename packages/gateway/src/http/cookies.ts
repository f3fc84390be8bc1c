/**
 * Cookies of the gateway. Always `HttpOnly`, `SameSite=Lax` (Entra's callback is a cross-site navigation, which
 * `Strict` would strip) and `Path=/`.
 *
 * With an https `publicUrl` every name gets the `__Host-` prefix, so that neither a subdomain nor plain http can
 * plant one. On loopback http there is no prefix and no `Secure`: browsers disagree on whether they keep them.
 */
export function cookieName(publicUrl: string, name: string): string {
  return publicUrl.startsWith('https:') ? `__Host-${name}` : name;
}

/**
 * The value of a `Set-Cookie` header.
 *
 * @param name without prefix.
 * @param maxAgeSeconds absent: until the browser closes; 0: delete it.
 * @throws TypeError for a name or value that would need quoting: ours are base64url.
 */
export function serializeCookie(
  publicUrl: string,
  name: string,
  value: string,
  maxAgeSeconds?: number,
): string {
  if (!/^[\w-]+$/.test(name) || !/^[\w.~-]*$/.test(value))
    throw new TypeError(`cookie ${name}: unsafe characters`);
  const parts = [`${cookieName(publicUrl, name)}=${value}`, 'Path=/', 'HttpOnly', 'SameSite=Lax'];
  if (publicUrl.startsWith('https:')) parts.push('Secure');
  if (maxAgeSeconds !== undefined) parts.push(`Max-Age=${Math.floor(maxAgeSeconds)}`);
  return parts.join('; ');
}

export type Cookies = ReadonlyMap<string, string>;

/**
 * Reads a `Cookie` header. A name that is there twice with different values is left out: one of the two was planted,
 * from another path or port, and nothing tells which.
 *
 * @returns raw names; look one up with `findCookie`.
 */
export function readCookies(header: string | undefined): Cookies {
  const cookies = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const pair of (header ?? '').split(';')) {
    const separator = pair.indexOf('=');
    if (separator === -1) continue;
    const name = pair.slice(0, separator).trim();
    const value = pair.slice(separator + 1).trim();
    if (cookies.has(name) && cookies.get(name) !== value) ambiguous.add(name);
    cookies.set(name, value);
  }
  for (const name of ambiguous) cookies.delete(name);
  return cookies;
}

/** @param name without prefix. */
export function findCookie(publicUrl: string, cookies: Cookies, name: string): string | undefined {
  return cookies.get(cookieName(publicUrl, name));
}
