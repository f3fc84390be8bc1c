/**
 * Which headers cross the gateway. Tables, so that what may never pass can be read off and tested as data.
 *
 * A header that a backend might take for the gateway's own word is dropped whatever the client wrote in it; the
 * gateway adds its own copy afterwards (GHSA-g53w-w6mj-hrpp: an internal header from outside was believed).
 */
import { createRecent } from '@valetkey/core/base/recent';
import { findRawHeader } from '../http/raw-headers.ts';

/** Meant for one connection only (RFC 9110 §7.6.1), beside whatever `Connection` lists. */
export const hopByHop: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
];

/** Never from the client to a backend: the exact names, with what each would do there. */
export const neverToBackend: Readonly<Record<string, string>> = {
  authorization: "the client's token is for the gateway alone (MCP: no token passthrough)",
  dpop: 'a proof that belongs to that token',
  cookie: "the gateway's cookies are not the backend's",
  host: 'names the gateway; the upstream URL names the backend',
  'content-length': 'counted anew for the body that is sent',
  'content-type': 'written anew: the body was read as JSON in UTF-8, and must be read so again',
  'content-encoding': 'as above',
  'accept-encoding': 'the answer must stay readable for the tool filter',
  expect: 'answered by the gateway',
  origin: 'checked by the gateway against its own name; a backend would compare it with another one',
  referer: 'an address of the client, which no backend needs',
  forwarded: 'claims about the way here, which only a proxy may make',
  via: 'as above',
  'x-real-ip': 'as above',
  'x-client-ip': 'as above',
  'true-client-ip': 'as above',
  'cf-connecting-ip': 'as above',
  'client-ip': 'as above',
  'x-host': 'as above',
  'x-rewrite-url': 'makes some frameworks route to another path',
  'x-http-method': 'makes some frameworks run another method',
  'x-http-method-override': 'as above',
  'x-method-override': 'as above',
  'x-functions-key': 'the key of an Azure Function is given by the gateway only',
  'x-remote-user': 'an identity that a backend might believe',
  'remote-user': 'as above',
  'x-user': 'as above',
  'x-user-id': 'as above',
  'x-client-cert': 'as above',
  'ssl-client-cert': 'as above',
  'x-arr-clientcert': 'as above',
  'x-request-id': 'replaced by the correlation id of the gateway',
};

/** As above, for families of names. */
export const neverToBackendPrefixes: readonly string[] = [
  'x-valetkey-',
  'x-forwarded-',
  'x-original-',
  'x-ms-client-principal',
  'x-ms-token-',
  'x-auth-request-',
  'x-envoy-',
  'x-amzn-oidc-',
  'x-goog-authenticated-user-',
  'x-goog-iap-',
  'proxy-',
  'sec-',
];

/** Never from a backend to the client. */
export const neverToClient: Readonly<Record<string, string>> = {
  'set-cookie': 'a backend must not plant cookies at the gateway, which shares its origin with all backends',
  'set-cookie2': 'as above',
  'www-authenticate': 'would send the client to another authorization server',
  'authentication-info': 'as above',
  'proxy-authenticate': 'as above',
  'proxy-authentication-info': 'as above',
  server: 'tells what runs behind the gateway',
  'x-powered-by': 'as above',
  'x-aspnet-version': 'as above',
  via: 'as above',
  location: 'an address behind the gateway; redirects are not followed and not passed on',
  'content-location': 'as above',
  refresh: 'as above',
  'alt-svc': 'speaks for the whole origin, which is the gateway',
  'clear-site-data': 'as above',
  'strict-transport-security': 'as above',
  'public-key-pins': 'as above',
  'service-worker-allowed': 'as above',
  nel: 'as above: browsers would report every address of the gateway, codes among them, to whom it names',
  'report-to': 'as above',
  'reporting-endpoints': 'as above',
  'expect-ct': 'as above',
  'public-key-pins-report-only': 'as above',
  'accept-ch': 'as above',
  'critical-ch': 'as above',
  'origin-agent-cluster': 'as above',
  'set-login': 'as above',
  'x-sendfile': 'an order to the proxy in front of the gateway: it would serve a file of its own',
  'x-lighttpd-send-file': 'as above',
  'x-reproxy-url': 'as above, or fetch an address behind it',
  'surrogate-control': 'an order to caches in front of the gateway, which all people share',
  'cdn-cache-control': 'as above',
  'x-request-id': 'the gateway has written its own',
};

export const neverToClientPrefixes: readonly string[] = [
  'access-control-',
  'x-valetkey-',
  'proxy-',
  // Orders to a proxy in front: nginx would serve an internal location in place of the answer.
  'x-accel-',
  'x-envoy-',
];

/**
 * Judged by their exact names, whose session it is above all: under another spelling that some servers take for the same
 * they would pass unseen.
 */
const judged: ReadonlySet<string> = new Set([
  'mcp-session-id',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'last-event-id',
]);

const requestDropped = new Set([...hopByHop, ...Object.keys(neverToBackend)]);
const responseDropped = new Set([...hopByHop, ...Object.keys(neverToClient)]);

/**
 * The headers of a request as a backend may see them, in the flat form of `IncomingMessage.rawHeaders`.
 * `Mcp-*`, `Last-Event-ID`, `Accept`, trace headers and everything unknown pass unchanged: an intermediary must
 * forward `Mcp-Param-*` that it does not know (MCP 2026-07-28 Transports).
 *
 * @param alsoDropped names to drop beside the tables, such as the backend's own credential header; those that differ from
 *   one request to the next are given with the request.
 */
export function createRequestHeaderFilter(
  alsoDropped: readonly string[] = [],
): (rawHeaders: readonly string[], alsoThisTime?: readonly string[]) => string[] {
  const dropped = new Set([...requestDropped, ...alsoDropped.map(fold)]);
  const isPassed = createVerdicts(
    (folded, written) =>
      !dropped.has(folded) &&
      !startsWithAny(folded, neverToBackendPrefixes) &&
      (folded === written || !judged.has(folded)),
  );
  return (rawHeaders, alsoThisTime = []) => {
    const also = [...alsoThisTime.map(fold), ...namesInConnection(rawHeaders)];
    const kept: string[] = [];
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
      const name = rawHeaders[index] as string;
      if (!isPassed(name) || (also.length > 0 && also.includes(fold(name)))) continue;
      kept.push(name, rawHeaders[index + 1] as string);
    }
    return kept;
  };
}

/** The headers of an answer as the client may see them. @param alsoDropped names in small letters. */
export function createResponseHeaderFilter(
  alsoDropped: readonly string[] = [],
): (headers: Readonly<Record<string, string | string[] | undefined>>) => Record<string, string | string[]> {
  const isPassed = createVerdicts(
    (folded, written) =>
      !responseDropped.has(folded) &&
      !startsWithAny(folded, neverToClientPrefixes) &&
      !alsoDropped.includes(written),
  );
  return (headers) => {
    const connection = headers['connection'];
    const also = connection === undefined ? [] : listed([connection].flat().join(','));
    const kept: Record<string, string | string[]> = {};
    for (const name of Object.keys(headers)) {
      const value = headers[name];
      if (value === undefined || !isPassed(name) || (also.length > 0 && also.includes(fold(name)))) continue;
      kept[name] = value;
    }
    return kept;
  };
}

const maxVerdicts = 1000;
/** Longer names are judged each time: what is remembered must not be large. */
const maxRememberedName = 64;

/**
 * Names come again with every request, and to fold and compare one costs more than to look it up.
 *
 * @param judge asked with the folded name, and with the name in small letters.
 */
function createVerdicts(judge: (folded: string, written: string) => boolean): (name: string) => boolean {
  const verdicts = createRecent<string, boolean>(maxVerdicts);
  return (name) => {
    const known = verdicts.get(name);
    if (known !== undefined) return known;
    const verdict = judge(fold(name), name.toLowerCase());
    if (name.length <= maxRememberedName) verdicts.set(name, verdict);
    return verdict;
  };
}

/**
 * Lower case, and every sign as `-`: CGI and WSGI servers make one variable of `-` and `_`, and some of `.` and others
 * too, so `X_Valetkey.Identity` would arrive there as the header that the gateway vouches for.
 */
function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z\d]/g, '-');
}

function startsWithAny(name: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => name.startsWith(prefix));
}

/** Headers that the sender of the message calls hop-by-hop (RFC 9110 §7.6.1). */
function namesInConnection(rawHeaders: readonly string[]): string[] {
  const connection = findRawHeader(rawHeaders, 'connection');
  if (connection === undefined || connection === 'keep-alive') return [];
  return listed(typeof connection === 'string' ? connection : connection.join(','));
}

function listed(connection: string): string[] {
  return connection
    .split(',')
    .map((name) => fold(name.trim()))
    .filter((name) => name !== '');
}
