/** Tells the operator of a machine whose clock is wrong, by the date that Entra puts on each answer. */
import type { World } from '../world.ts';
import type { Outbound, OutboundResponse } from './outbound.ts';

/** Far more than an answer is under way, and less than what anybody suffers from. */
const tellMs = 60_000;
const silentMs = 3600_000;

/**
 * A clock that is wrong on one replica of two shows itself as sign-ins that fail now and then, and nowhere else: so it is
 * said where it is measured, once an hour.
 */
export function watchClock(outbound: Outbound, { clock, log }: Pick<World, 'clock' | 'log'>): Outbound {
  const state = { toldAtMs: Number.NEGATIVE_INFINITY };

  function compare({ headers }: OutboundResponse): void {
    const aheadMs = clock.nowMs() - Date.parse(headers['date'] ?? '');
    // Without a date it is not a number, and less than nothing.
    if (!(Math.abs(aheadMs) > tellMs) || Math.abs(clock.nowMs() - state.toldAtMs) < silentMs) return;
    state.toldAtMs = clock.nowMs();
    const remedy = 'set the clock of this machine (NTP): see docs/guide/disaster.md, A clock is wrong';
    log.warn(
      { aheadSeconds: Math.round(aheadMs / 1000), remedy },
      'the clock here differs from that of Entra',
    );
  }

  return {
    async send(request) {
      const answer = await outbound.send(request);
      compare(answer);
      return answer;
    },
    close: () => outbound.close(),
  };
}
