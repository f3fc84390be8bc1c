/** How a redirect URI is named to a person. */
export interface RedirectDisplay {
  readonly kind: 'web' | 'loopback' | 'app';
  /** The host with its port, an international name in its `xn--` form; for a private scheme the scheme: `cursor://`. */
  readonly host: string;
}

/**
 * Reads where the browser goes after Allow, from the URI alone.
 *
 * @param redirectUri one that registration has accepted; an unreadable one is shown as it is, as an application's.
 */
export function describeRedirect(redirectUri: string): RedirectDisplay {
  const url = URL.parse(redirectUri);
  if (url === null) return { kind: 'app', host: redirectUri };
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return { kind: 'app', host: `${url.protocol}//` };
  const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  return { kind: isLoopback ? 'loopback' : 'web', host: url.host };
}
