import { err, ok, type Result } from './result.ts';

/** `https`: a web page; `loopback`: an application on the person's computer; `private`: a private-use scheme. */
export type RedirectKind = 'https' | 'loopback' | 'private';

const maxRedirectLength = 2048;
/** Narrower than all of 127.0.0.0/8: what RFC 8252 §7.3 names, and `localhost`, which clients use all the same. */
const loopbackHosts = new Set(['127.0.0.1', '[::1]', 'localhost']);
const printableAscii = /^[\x21-\x7e]+$/;
/** They run script, read files, or are no place that a browser goes to. */
const deniedSchemes = new Set(
  [
    'javascript',
    'data',
    'vbscript',
    'file',
    'blob',
    'about',
    'filesystem',
    'view-source',
    'ftp',
    'ws',
    'wss',
  ].map((scheme) => `${scheme}:`),
);

/**
 * What a redirect URI is, whoever names it: the configuration, a registration, a client id metadata document.
 *
 * Accepted are `https` to a host that is not loopback, `http` to loopback (RFC 8252 §7.3), and private-use schemes,
 * of which the caller decides whether they are wanted. Refused are fragments (RFC 6749 §3.1.2), wildcards, user
 * information, dot segments in any encoding and backslashes (parsers disagree about them), and schemes that run
 * script (D24).
 *
 * @returns the kind, or what is wrong with it, in words that do not repeat it.
 */
export function parseRedirectUri(uri: string): Result<RedirectKind, string> {
  if (uri.length > maxRedirectLength) return err(`must not be longer than ${maxRedirectLength} characters`);
  if (!printableAscii.test(uri)) return err('must hold printable ASCII characters only, and no space');
  if (uri.includes('#')) return err('must not have a fragment');
  if (uri.includes('\\')) return err('must not have a backslash');
  if (uri.includes('*')) return err('must not have a wildcard');
  const url = URL.parse(uri);
  if (url === null) return err('is not an absolute URI');
  if (url.username !== '' || url.password !== '') return err('must not have user information');
  if (hasDotSegment(uri)) return err('must not have dot segments');
  if (deniedSchemes.has(url.protocol)) return err('has a scheme that is not allowed');
  const isLoopback = loopbackHosts.has(url.hostname);
  if (url.protocol === 'https:') return isLoopback ? err('must use http on a loopback address') : ok('https');
  if (url.protocol === 'http:') return isLoopback ? ok('loopback') : err('must use https');
  return ok('private');
}

function hasDotSegment(uri: string): boolean {
  const path = uri.replace(/^[^:]*:\/\/[^/?]*/, '').split('?', 1)[0] ?? '';
  return path.split('/').some((segment) => {
    const decoded = segment.replaceAll(/%2e/gi, '.');
    return decoded === '.' || decoded === '..' || /%2f|%5c/i.test(segment);
  });
}
