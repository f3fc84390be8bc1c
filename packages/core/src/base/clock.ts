/** Where time comes from. Passed in everywhere, so that a test owns the time. */
export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
}

/** Whole seconds since the epoch, as JWT and OAuth count them (RFC 7519 §2 NumericDate). */
export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.nowMs() / 1000);
}

/**
 * By how much the clocks of two replicas, or of a replica and Entra, may differ before a session suffers. Far more than
 * machines that set their clocks ever show, and more than a wrong clock usually is wrong by.
 */
export const CLOCK_DIFFERENCE_SECONDS = 900;

/** More than a healthy clock is ever off by. */
const usualDifferenceSeconds = 5;

/** Whether a time of the past was written down by a clock that is ahead of ours, so that nobody knows how long ago it is. */
export function isFromFuture(atSeconds: number, clock: Clock): boolean {
  return atSeconds > nowSeconds(clock) + usualDifferenceSeconds;
}
