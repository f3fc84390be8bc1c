/** Remembers, per session, that Entra asked to be left alone for a while. */
import type { Clock } from '@valetkey/core/base/clock';
import type { EntraRefusal } from './entra.ts';

export interface HoldOffs {
  /** The refusal that still holds, with what is left of its time. */
  find(sessionId: string): EntraRefusal | undefined;
  /** Remembers a refusal that came with a `Retry-After`; others are not held. */
  note(sessionId: string, refusal: EntraRefusal): void;
}

/** Above it the oldest go: forgetting one costs a request, keeping all would cost memory without end. */
const maxHoldOffs = 10_000;

/**
 * MSAL forgets a throttle with its instance, and ours live for one operation: without this, each call of a
 * throttled session would go to Entra again and prolong the throttle (Entra: AADSTS90055, AADSTS50196).
 */
export function createHoldOffs(clock: Clock): HoldOffs {
  const held = new Map<
    string,
    { readonly refusal: EntraRefusal; readonly forMs: number; readonly untilMs: number }
  >();
  return {
    find(sessionId) {
      const found = held.get(sessionId);
      if (found === undefined) return undefined;
      const leftMs = found.untilMs - clock.nowMs();
      // More is left than there was when the clock was set back: nobody waits for it to catch up.
      if (leftMs <= 0 || leftMs > found.forMs) {
        held.delete(sessionId);
        return undefined;
      }
      return { ...found.refusal, retryAfterSeconds: Math.ceil(leftMs / 1000) };
    },
    note(sessionId, refusal) {
      if (refusal.kind !== 'unavailable' || refusal.retryAfterSeconds === undefined) return;
      held.delete(sessionId);
      const forMs = refusal.retryAfterSeconds * 1000;
      held.set(sessionId, { refusal, forMs, untilMs: clock.nowMs() + forMs });
      if (held.size <= maxHoldOffs) return;
      const oldest = held.keys().next();
      if (!oldest.done) held.delete(oldest.value);
    },
  };
}
