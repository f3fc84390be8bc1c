import type { Clock } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { LimitName } from './exchange.ts';

/** `requests` at once, refilled evenly over `windowSeconds`. */
export interface RateLimitRule {
  readonly requests: number;
  readonly windowSeconds: number;
}

export type RateLimits = Readonly<Record<LimitName, RateLimitRule>>;

export interface RateLimiter {
  /**
   * Counts one request.
   *
   * @param key who is counted: an address (see `rateLimitKey`) or a client id.
   * @returns ok, or after how many whole seconds the next one is accepted. A refused request costs nothing.
   */
  check(name: LimitName, key: string): Result<undefined, { readonly retryAfterSeconds: number }>;
}

/**
 * A rate limiter in memory, per process (GCRA: one number per key, the time at which its budget is full again).
 *
 * @param maxKeys keys remembered over all limits, 50,000 by default. Beyond it the ones idle longest are forgotten,
 *   so a flood of addresses costs bounded memory and at worst gives some of them a fresh budget.
 */
export function createRateLimiter(limits: RateLimits, clock: Clock, maxKeys = 50_000): RateLimiter {
  // In order of last use, since each use deletes and inserts again.
  const fullAgainAtMs = new Map<string, number>();

  return {
    check(name, key) {
      const { requests, windowSeconds } = limits[name];
      const windowMs = windowSeconds * 1000;
      const nowMs = clock.nowMs();
      const entry = `${name} ${key}`;
      const noted = fullAgainAtMs.get(entry) ?? nowMs;
      // More than a window ahead is only possible when the clock was set back since: nobody is locked out for that.
      const from = noted > nowMs + windowMs + 0.5 ? nowMs : Math.max(noted, nowMs);
      const next = from + windowMs / requests;
      // Half a millisecond of grace: the steps are fractions, and their sum is not exact.
      const waitMs = next - nowMs - windowMs;
      if (waitMs > 0.5) return err({ retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) });
      fullAgainAtMs.delete(entry);
      fullAgainAtMs.set(entry, next);
      forgetIdle(fullAgainAtMs, maxKeys);
      return ok(undefined);
    },
  };
}

function forgetIdle(entries: Map<string, number>, maxKeys: number): void {
  for (const key of entries.keys()) {
    if (entries.size <= maxKeys) return;
    entries.delete(key);
  }
}
