import type { Clock } from '@valetkey/core/base/clock';
import type { Result } from '@valetkey/core/base/result';
import { hashToken } from '@valetkey/core/crypto/token-hash';
import type { LimitName } from './exchange.ts';
import { createRateLimiter, type RateLimitRule, type RateLimits } from './rate-limit.ts';

/** Counts a request of one client; a refusal says after how many seconds to try again. */
export type CheckClientLimit = (
  name: LimitName,
  clientId: string,
) => Result<undefined, { readonly retryAfterSeconds: number }>;

/**
 * One client serves many people, and its id is public: were its budget the one of an address, a single address could
 * use it up and lock all of them out.
 */
export function createClientLimit(limits: RateLimits, clock: Clock): CheckClientLimit {
  const widen = ({ requests, windowSeconds }: RateLimitRule) => ({ requests: requests * 20, windowSeconds });
  const { register, authorize, consent, token } = limits;
  const wide = {
    register: widen(register),
    authorize: widen(authorize),
    consent: widen(consent),
    token: widen(token),
  };
  const limiter = createRateLimiter(wide, clock);
  // Hashed: a client id that a stranger makes up can be as long as a request.
  return (name, clientId) => limiter.check(name, hashToken(clientId));
}
