import type { Clock } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import type { Logger } from 'pino';

/** What the gateway takes from outside itself: passed in once, so that a test can own it. */
export interface World {
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Operational log. Never given a token, a code or a person's name. */
  readonly log: Logger;
}
