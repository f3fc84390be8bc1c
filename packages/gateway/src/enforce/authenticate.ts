import { andThen, type Eventually } from '@valetkey/core/base/eventually';
import { err, type Result } from '@valetkey/core/base/result';
import type { Exchange } from '../http/exchange.ts';
import { findRawHeader } from '../http/raw-headers.ts';
import { parseBearer } from './bearer.ts';
import { type Stop, stop } from './refusal.ts';
import type { TokenVerifier, VerifiedToken } from './verify-token.ts';

/**
 * Who is calling. Before anything else of the request is looked at, so that a caller without a token learns
 * nothing, not even which methods exist, and makes nobody read a body.
 *
 * @param resource the only audience accepted.
 */
export function authenticate(
  { req }: Exchange,
  verifier: TokenVerifier,
  resource: string,
): Eventually<Result<VerifiedToken, Stop>> {
  // `headers.authorization` would silently be the first of two.
  const bearer = parseBearer(findRawHeader(req.rawHeaders, 'authorization'));
  if (!bearer.ok) {
    return bearer.error === 'missing'
      ? stop({ kind: 'no_token' })
      : stop({ kind: 'bad_token' }, bearer.error);
  }
  return andThen(verifier.verify(bearer.value, resource), (token) =>
    token.ok ? token : err({ refusal: { kind: 'bad_token' }, reason: token.error }),
  );
}
