/**
 * Which `Host` and which `Origin` a request may carry: the defence against DNS rebinding (MCP Transports,
 * Security; CVE-2025-66414). A page of another site that re-points its own name at this machine still sends that
 * name in `Host` and in `Origin`.
 */

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);

/** `http://localhost:6274` and the like; a name that cannot be pointed elsewhere. */
export function isLoopbackUrl(url: URL): boolean {
  return loopbackNames.has(url.hostname);
}

/**
 * @param aliases further accepted values of `Host`, such as the name a proxy uses for us: `gateway:8080`.
 * @returns whether a `Host` header is ours. The literal loopback names pass on any port, since no foreign
 *   page can own them and local proxies send them.
 */
export function createHostPolicy(
  publicUrl: string,
  aliases: readonly string[] = [],
): (host: string | undefined) => boolean {
  const own = new URL(publicUrl);
  const accepted = new Set([own.host, ...aliases.map((alias) => alias.toLowerCase())]);
  return (host) => {
    // As it is nearly always written, there is nothing to parse.
    if (host === own.host) return true;
    if (host === undefined || !/^[\w.:[\]-]+$/.test(host)) return false;
    const url = URL.parse(`${own.protocol}//${host}`);
    return url !== null && (accepted.has(url.host) || accepted.has(host.toLowerCase()) || isLoopbackUrl(url));
  };
}

/**
 * @param allowed `'any'`, or exact origins beside our own.
 * @returns whether a page of this origin may call us. With a loopback `publicUrl` only loopback pages and the
 *   listed origins may, whatever `allowed` says: on a developer's machine every open tab is a neighbour.
 */
export function createOriginPolicy(
  publicUrl: string,
  allowed: 'any' | readonly string[],
): (origin: string) => boolean {
  const own = new URL(publicUrl);
  const listed = new Set([own.origin, ...(allowed === 'any' ? [] : allowed)]);
  const ownIsLoopback = isLoopbackUrl(own);
  return (origin) => {
    if (listed.has(origin)) return true;
    const url = parseOrigin(origin);
    if (url === undefined) return false;
    if (ownIsLoopback) return isLoopbackUrl(url);
    return allowed === 'any';
  };
}

/** A serialised origin (RFC 6454 §6.2) with nothing behind it; `null` is none. */
function parseOrigin(origin: string): URL | undefined {
  if (origin.length > 500 || !/^[a-z][a-z0-9+.-]*:\/\/[^/?#\\@\s]+$/.test(origin)) return undefined;
  return URL.parse(origin) ?? undefined;
}
