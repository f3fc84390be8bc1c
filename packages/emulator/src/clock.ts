/** The emulator's own clock: the system's, moved ahead or held still by whoever tests what time does. */

export interface ClockState {
  /** How far ahead of the system's clock, while it runs. */
  readonly aheadMs: number;
  /** Set while the clock stands still: milliseconds since the epoch. */
  readonly frozenAtMs?: number;
}

export interface EmulatorClock {
  nowMs(): number;
  /** Forward only: tokens from the future are nobody's test. Moves a clock that stands still, too. */
  advance(seconds: number): void;
  /** Stands still from now on, or at that moment (milliseconds since the epoch). */
  freeze(atMs?: number): void;
  /** Runs on from where it stands. */
  resume(): void;
  state(): ClockState;
  restore(state: ClockState): void;
}

/** @param systemMs milliseconds since the epoch */
export function createClock(systemMs: () => number): EmulatorClock {
  let state: ClockState = { aheadMs: 0 };
  const nowMs = () => state.frozenAtMs ?? systemMs() + state.aheadMs;
  return {
    nowMs,
    advance(seconds) {
      const ms = seconds * 1000;
      const { aheadMs, frozenAtMs } = state;
      state = frozenAtMs === undefined ? { aheadMs: aheadMs + ms } : { aheadMs, frozenAtMs: frozenAtMs + ms };
    },
    freeze(atMs) {
      state = { aheadMs: state.aheadMs, frozenAtMs: atMs ?? nowMs() };
    },
    resume() {
      state = { aheadMs: nowMs() - systemMs() };
    },
    state: () => state,
    restore(kept) {
      state = kept;
    },
  };
}
