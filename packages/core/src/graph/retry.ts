import type { Clock } from '../base/clock.ts';
import type { RandomBytes } from '../base/random.ts';

/** When to ask again. */
export interface RetryPolicy {
  /** Repeats after the first attempt. */
  readonly maxRepeats: number;
  /** The first pause; each further one is twice as long. */
  readonly firstWaitMs: number;
  /** No pause is longer. Where Graph names a longer one, the refusal is given to the caller at once. */
  readonly maxWaitMs: number;
}

export const defaultRetryPolicy: RetryPolicy = { maxRepeats: 3, firstWaitMs: 500, maxWaitMs: 30_000 };

export interface RetryMoment {
  /** 0 after the first attempt. */
  readonly attempt: number;
  /** What Graph said, when it did. */
  readonly retryAfterSeconds: number | undefined;
  readonly random: RandomBytes;
}

/**
 * How long to wait before the next attempt, in milliseconds; undefined when there is none.
 *
 * A time that Graph names is kept, never shortened. Otherwise the pause doubles, and half of it is random: callers
 * that were refused together must not come back together.
 */
export function findWaitMs(policy: RetryPolicy, moment: RetryMoment): number | undefined {
  if (moment.attempt >= policy.maxRepeats) return undefined;
  if (moment.retryAfterSeconds !== undefined) {
    const asked = moment.retryAfterSeconds * 1000;
    return asked <= policy.maxWaitMs ? asked : undefined;
  }
  const pause = Math.min(policy.firstWaitMs * 2 ** moment.attempt, policy.maxWaitMs);
  return Math.round(pause / 2 + (pause / 2) * fraction(moment.random));
}

function fraction(random: RandomBytes): number {
  return Buffer.from(random(4)).readUInt32BE() / 2 ** 32;
}

/** RFC 9110 §10.2.3: seconds or an HTTP date. @returns seconds from 0 on; undefined when absent or unreadable. */
export function parseRetryAfter(header: string | undefined, clock: Clock): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text);
  // `Date.parse` would read much more than a date, `3.5` among it.
  const atMs = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, Math.ceil((atMs - clock.nowMs()) / 1000));
}
