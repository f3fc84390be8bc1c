import { err, ok, type Result } from '../base/result.ts';
import { isSecureUrl } from '../base/url.ts';
import { type GraphRefusal, refuseHost } from './graph-refusal.ts';

/** Source: Microsoft Graph, "National cloud deployments". */
const microsoftOrigins: readonly string[] = [
  'https://graph.microsoft.com',
  'https://graph.microsoft.us',
  'https://dod-graph.microsoft.us',
  'https://microsoftgraph.chinacloudapi.cn',
];

/**
 * The origins that a Graph token may go to (A9).
 *
 * @throws RangeError when the configured origin is not among them, or one that is allowed is no secure origin: a
 *   fault of the configuration.
 */
export function checkGraphOrigin(origin: string, allowOrigins: readonly string[]): ReadonlySet<string> {
  for (const one of allowOrigins) {
    if (!URL.canParse(one) || new URL(one).origin !== one || !isSecureUrl(new URL(one)))
      throw new RangeError('an allowed Graph origin is https, or http on loopback, and has no path');
  }
  const allowed = new Set([...microsoftOrigins, ...allowOrigins]);
  if (!allowed.has(origin)) throw new RangeError('the Graph origin is not on the list of Graph hosts');
  return allowed;
}

/** The URL of a path below `/v1.0`, or a whole URL that Graph itself gave, if its host is on the list. */
export function findGraphUrl(
  path: string,
  origin: string,
  allowed: ReadonlySet<string>,
): Result<string, GraphRefusal> {
  const text = path.startsWith('/') ? `${origin}/v1.0${path}` : path;
  if (!URL.canParse(text)) return err(refuseHost());
  const url = new URL(text);
  const isPlain = url.username === '' && url.password === '' && url.pathname.startsWith('/v1.0/');
  return isPlain && allowed.has(url.origin) ? ok(url.href) : err(refuseHost());
}
