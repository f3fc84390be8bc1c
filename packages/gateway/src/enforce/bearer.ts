/**
 * Room `enforce`: from a bearer token to a verified caller, from what it asks for to decisions, and from a refusal to its
 * wire form. Knows tokens, challenges and what backends say of their tools; knows neither a backend nor how a request is
 * forwarded. A call reads no store, but for a tool that nobody here has heard of.
 */
import { err, ok, type Result } from '@valetkey/core/base/result';

/** `missing`: nothing to judge, so the challenge names no error. `malformed`: a bearer header that is none. */
export type BearerFault = 'missing' | 'malformed';

/** RFC 6750 §2.1 `b64token`. The whole of it must match, so a header with two tokens is none. */
const credentials = /^[A-Za-z0-9\-._~+/]+=*$/;
const scheme = /^bearer(?: +|$)/i;

/**
 * The token of an `Authorization` header, and of nothing else: a token in the query string or a form body ends
 * up in logs and histories (RFC 6750 §5.3, MCP Authorization §Token Requirements).
 *
 * @param header the header as Node gives it; a list when it was sent more than once.
 * @returns `missing` without a header or with another scheme, which is no attempt at a bearer token.
 */
export function parseBearer(header: string | readonly string[] | undefined): Result<string, BearerFault> {
  if (header === undefined) return err('missing');
  // Two headers: which one a proxy in front has looked at cannot be known.
  if (typeof header !== 'string') return err('malformed');
  const prefix = scheme.exec(header);
  if (prefix === null) return err('missing');
  const token = header.slice(prefix[0].length);
  return credentials.test(token) ? ok(token) : err('malformed');
}
