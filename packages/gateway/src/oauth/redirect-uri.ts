import { err, ok, type Result } from '@valetkey/core/base/result';

/** `https`: a web page; `loopback`: an application on the person's computer; `private`: a listed private-use URI. */
export type RedirectKind = 'https' | 'loopback' | 'private';

const maxRedirectLength = 2048;
const loopbackHosts = new Set(['127.0.0.1', '[::1]', 'localhost']);
const printableAscii = /^[\x21-\x7e]+$/;

/**
 * Judges one redirect URI of a registration or of a client id metadata document.
 *
 * Accepted: `https` to a host that is not loopback, `http` to loopback (RFC 8252 §7.3), and private-use URIs that
 * stand in `privateUse` byte for byte. Refused: fragments (RFC 6749 §3.1.2), user information, dot segments in any
 * encoding and backslashes (parsers disagree about them), every other scheme, `javascript:` and `data:` included.
 *
 * @returns the kind, or the reason in words for the developer of the client.
 */
export function checkRedirectUri(
  uri: unknown,
  privateUse: ReadonlySet<string>,
): Result<RedirectKind, string> {
  if (typeof uri !== 'string') return err('must be a string');
  if (uri.length > maxRedirectLength) return err(`must not be longer than ${maxRedirectLength} characters`);
  if (!printableAscii.test(uri)) return err('must hold printable ASCII characters only');
  if (uri.includes('#')) return err('must not have a fragment');
  if (uri.includes('\\')) return err('must not have a backslash');
  if (privateUse.has(uri)) return ok('private');
  const url = URL.parse(uri);
  if (url === null) return err('is not an absolute URI');
  if (url.username !== '' || url.password !== '') return err('must not have user information');
  if (hasDotSegment(uri)) return err('must not have dot segments');
  const isLoopback = loopbackHosts.has(url.hostname);
  if (url.protocol === 'https:') return isLoopback ? err('must use http on a loopback address') : ok('https');
  if (url.protocol === 'http:') return isLoopback ? ok('loopback') : err('must use https');
  return err('has a scheme that is not allowed; private-use URIs must be listed in clients.redirectUris');
}

function hasDotSegment(uri: string): boolean {
  const path = uri.replace(/^[^:]*:\/\/[^/?]*/, '').split('?', 1)[0] ?? '';
  return path.split('/').some((segment) => {
    const decoded = segment.replaceAll(/%2e/gi, '.');
    return decoded === '.' || decoded === '..' || /%2f|%5c/i.test(segment);
  });
}

/** What a list of redirect URIs comes to: the accepted ones in their order, and each refused one with its reason. */
export interface RedirectJudgement {
  readonly accepted: readonly string[];
  readonly refused: readonly { readonly uri: string; readonly reason: string }[];
  /**
   * `native` as soon as one is loopback or private-use: such clients may vary the loopback port
   * (OAuth 2.1 §8.4.2), whatever `application_type` they sent or forgot.
   */
  readonly applicationType: 'native' | 'web';
}

/** Judges each redirect URI alone: Cursor registers three at once, and one refused must not cost the others. */
export function judgeRedirectUris(
  uris: readonly unknown[],
  privateUse: ReadonlySet<string>,
): RedirectJudgement {
  const accepted: string[] = [];
  const refused: { uri: string; reason: string }[] = [];
  let applicationType: 'native' | 'web' = 'web';
  for (const uri of uris) {
    const kind = checkRedirectUri(uri, privateUse);
    if (!kind.ok) {
      // Only a string is echoed: `String()` of `{"toString":1}`, or of ten thousand nested lists, throws.
      refused.push({
        uri: typeof uri === 'string' ? uri.slice(0, 200) : `(${typeof uri})`,
        reason: kind.error,
      });
      continue;
    }
    if (typeof uri === 'string') accepted.push(uri);
    if (kind.value !== 'https') applicationType = 'native';
  }
  return { accepted, refused, applicationType };
}
