import { randomBytes } from 'node:crypto';
import type { World } from '@valetkey/gateway/world';
import { destination, pino } from 'pino';

/** The real clock, the real randomness, and a log on stderr: stdout is for audit records. */
export function createWorld(level: 'info' | 'warn'): World {
  return {
    clock: { nowMs: () => Date.now() },
    random: (size) => randomBytes(size),
    log: pino(
      { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
      destination({ dest: 2, sync: false }),
    ),
  };
}
