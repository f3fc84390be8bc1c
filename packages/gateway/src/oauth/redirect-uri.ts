import { parseRedirectUri, type RedirectKind } from '@valetkey/core/base/redirect-uri';
import { err, type Result } from '@valetkey/core/base/result';

/**
 * Judges one redirect URI of a registration or of a client id metadata document. A private-use URI has to stand in
 * `privateUse` byte for byte: any application may claim a scheme.
 *
 * @returns the kind, or the reason in words for the developer of the client.
 */
export function checkRedirectUri(
  uri: unknown,
  privateUse: ReadonlySet<string>,
): Result<RedirectKind, string> {
  if (typeof uri !== 'string') return err('must be a string');
  const kind = parseRedirectUri(uri);
  if (!kind.ok || kind.value !== 'private' || privateUse.has(uri)) return kind;
  return err('has a scheme that is not allowed; private-use URIs must be listed in clients.redirectUris');
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
