/** How long a command that has just failed is left alone: a server that cannot start must not be started without end. */
import type { Clock } from '@valetkey/core/base/clock';

export interface CrashWait {
  /** Milliseconds until it may be started again; 0: now. */
  leftMs(who: string): number;
  /** It ended although nobody had asked it to. */
  noteEnd(who: string, livedMs: number): void;
}

/** The first time may have been an accident. */
const waitsMs = [0, 1000, 2000, 5000, 10_000, 30_000] as const;
/** Whoever has lived this long has not failed to start. */
const healthyMs = 60_000;
const maxKnown = 10_000;

/** @param who whom a failure concerns: one person's process that crashes must not keep another's from starting. */
export function createCrashWait(clock: Clock): CrashWait {
  const known = new Map<string, { readonly failures: number; readonly untilMs: number }>();
  return {
    leftMs: (who) => Math.max(0, (known.get(who)?.untilMs ?? 0) - clock.nowMs()),
    noteEnd(who, livedMs) {
      const failures = livedMs >= healthyMs ? 1 : (known.get(who)?.failures ?? 0) + 1;
      const waitMs = waitsMs[Math.min(failures, waitsMs.length) - 1] ?? 0;
      known.delete(who);
      known.set(who, { failures, untilMs: clock.nowMs() + waitMs });
      for (const oldest of known.keys()) {
        if (known.size <= maxKnown) break;
        known.delete(oldest);
      }
    },
  };
}
