/** Rules for URLs in the configuration. None of their messages repeats what stands behind the origin. */
import { parseRedirectUri } from '@valetkey/core/base/redirect-uri';
import { isLoopbackHost, parseHttpUrl } from '@valetkey/core/base/url';
import { type Complaint, complain } from './fault.ts';

export function isLoopbackUrl(text: string): boolean {
  return isLoopbackHost(parseUrl(text)?.hostname ?? '');
}

/** `https` anywhere, `http` on loopback only (A23). Exactly an origin, because it is compared byte for byte. */
export function checkOrigin(text: string): Complaint | undefined {
  const url = parseUrl(text);
  if (url === undefined || !isHttp(url) || url.hostname === '') {
    return complain('is not an https URL', 'Write an origin such as https://mcp.contoso.com');
  }
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
    return complain(
      'is plain http: codes and tokens would travel readable',
      `Write https://${url.host}. Plain http is for loopback only, such as http://localhost:8080`,
    );
  }
  if (text !== url.origin) {
    return complain('is more than an origin, or is not in its normal form', `Write ${url.origin}`);
  }
  return undefined;
}

export const hostHeaderPattern = /^[\w.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:]+\](:\d{1,5})?$/;

/** What a proxy sends as `Host` (RFC 9110 §7.2): a name or an address, with a port where it is not the usual one. */
export function checkHostHeader(text: string): Complaint | undefined {
  if (hostHeaderPattern.test(text)) return undefined;
  const url = /[/?#@]/.test(text)
    ? parseUrl(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`)
    : undefined;
  const host = url?.host ?? '';
  if (host !== '' && checkHostHeader(host) === undefined)
    return complain(
      'is more than a host: the Host header has no scheme and no path',
      `Write ${host}, with the port if the proxy sends one`,
    );
  if (text.includes('*'))
    return complain('is a pattern, and only whole names are compared', 'Name each host by itself');
  return complain('is not a host name', 'Write a name such as gateway.internal, or gateway.internal:8080');
}

const secretParameter = /code|key|token|secret|sig|password/i;

/** An MCP endpoint behind the gateway: plain http is fine inside a private network. */
export function checkUpstream(text: string): Complaint | undefined {
  const url = parseUrl(text);
  if (url === undefined || !isHttp(url)) {
    return complain(
      'is not an http or https URL',
      'Write the URL of the MCP endpoint, such as http://127.0.0.1:7071/mcp',
    );
  }
  if (url.username !== '' || url.password !== '') {
    return complain(
      'holds a user name or a password',
      'Remove them; give the backend a `credential` with a header instead',
    );
  }
  if ([...url.searchParams.keys()].some((name) => secretParameter.test(name))) {
    return complain(
      'seems to hold a key in its query, where logs would show it',
      'Remove the query; give the backend a `credential` with a header, such as x-functions-key, instead',
    );
  }
  const strict = parseHttpUrl(text);
  return strict.ok
    ? undefined
    : complain(strict.error, 'Write it plainly, such as http://127.0.0.1:7071/mcp');
}

/** D24. The same rule as for a client that registers itself. */
export function checkRedirectUri(text: string): Complaint | undefined {
  const kind = parseRedirectUri(text);
  return kind.ok
    ? undefined
    : complain(
        kind.error,
        'Write it exactly as the client sends it: https, http on loopback, or a private-use scheme',
      );
}

/** Routes of the gateway itself: a backend there would answer in its place. */
const ownRoutes = [
  '/authorize',
  '/token',
  '/register',
  '/revoke',
  '/consent',
  '/auth',
  '/jwks',
  '/.well-known',
  '/healthz',
  '/readyz',
  '/session',
];

export function checkBackendPath(path: string): Complaint | undefined {
  const example = 'Write a path such as /snippets/mcp';
  if (!path.startsWith('/'))
    return complain('does not start with a slash', `Write /${path.replaceAll(/[^\w/.-]/g, '')}`);
  if (path.endsWith('/')) return complain('ends with a slash', example);
  if (!/^(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/.test(path)) {
    return complain(
      'is not in its normal form: only letters, digits and . _ ~ - between single slashes, no segment that starts with a dot',
      example,
    );
  }
  const lower = path.toLowerCase();
  const taken = ownRoutes.find((route) => lower === route || lower.startsWith(`${route}/`));
  if (taken !== undefined) return complain(`lies on the gateway's own route ${taken}`, example);
  return undefined;
}

export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function isHttp(url: URL): boolean {
  return url.protocol === 'https:' || url.protocol === 'http:';
}
