import { createDerived } from '@valetkey/core/base/derived';
import { andThen, type Eventually } from '@valetkey/core/base/eventually';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { hashToken } from '@valetkey/core/crypto/token-hash';
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
  const bearer = findBearer(req.rawHeaders);
  if (!bearer.ok) {
    return bearer.error === 'missing'
      ? stop({ kind: 'no_token' })
      : stop({ kind: 'bad_token' }, bearer.error);
  }
  const { token, hash } = bearer.value;
  return andThen(verifier.verify(token, resource, hash), (verified) =>
    verified.ok ? verified : err({ refusal: { kind: 'bad_token' }, reason: verified.error }),
  );
}

const findBearer = createDerived((rawHeaders: readonly string[]) => {
  // `headers.authorization` would silently be the first of two.
  const bearer = parseBearer(findRawHeader(rawHeaders, 'authorization'));
  return bearer.ok ? ok({ token: bearer.value, hash: hashToken(bearer.value) }) : bearer;
});
