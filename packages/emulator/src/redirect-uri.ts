/** How Entra compares redirect URIs: as strings, except that a loopback http URI may come on any port. */

const MAX_LENGTH = 256;

/** `localhost` and `127.0.0.1` only: Entra does not ignore the port of `[::1]`. The path stays case-sensitive. */
export function isRedirectUriRegistered(registered: string, presented: string): boolean {
  if (registered === presented) return true;
  const wanted = parseLoopback(registered);
  const given = parseLoopback(presented);
  if (wanted === undefined || given === undefined) return false;
  return (
    wanted.hostname === given.hostname && wanted.pathname === given.pathname && wanted.search === given.search
  );
}

/** What the portal refuses to register. @throws TypeError with the reason */
export function checkRegistrable(uri: string): void {
  if (uri.length > MAX_LENGTH) throw new TypeError(`A redirect URI has at most ${MAX_LENGTH} characters`);
  if (!URL.canParse(uri)) throw new TypeError('A redirect URI must be absolute');
  const { protocol, hash } = new URL(uri);
  if (hash !== '' || uri.includes('*')) throw new TypeError('A redirect URI has no fragment and no wildcard');
  if (protocol === 'http:' && parseLoopback(uri) === undefined) {
    throw new TypeError('A redirect URI uses https, or http on localhost or 127.0.0.1');
  }
  if (['javascript:', 'data:', 'file:', 'vbscript:'].includes(protocol))
    throw new TypeError('Not a redirect URI scheme');
}

function parseLoopback(uri: string): URL | undefined {
  if (!URL.canParse(uri)) return undefined;
  const url = new URL(uri);
  const isLoopback = url.hostname === 'localhost' || url.hostname === '127.0.0.1';
  const isPlain = url.protocol === 'http:' && url.username === '' && url.password === '' && url.hash === '';
  return isPlain && isLoopback ? url : undefined;
}
