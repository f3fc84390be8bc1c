import { randomBytes } from 'node:crypto';
import type { World } from '@valetkey/gateway/world';
import { destination, pino } from 'pino';

/** Warnings and faults on stderr, one JSON line each, without names and tokens. */
export function createWorld(world: Partial<World> = {}): World {
  return {
    clock: world.clock ?? { nowMs: () => Date.now() },
    random: world.random ?? ((size) => randomBytes(size)),
    log: world.log ?? pino({ level: 'warn', base: null }, destination({ dest: 2, sync: false })),
  };
}
