/**
 * The circuit breaker of one backend in one gateway process: when nothing comes back any more, requests are answered at
 * once for a while, so that people do not wait for a time-out and the backend does not start under a queue of them.
 */
import type { Clock } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { CircuitConfig } from '../../config/config.ts';

export type CircuitState = 'closed' | 'open' | 'half_open';

/** One request that was let through. Tell exactly one of the three. */
export interface Attempt {
  /** Something came back, be it an error of a tool: the backend is there. */
  answered(): void;
  /** The connection failed, or no first byte came in time. */
  failed(): void;
  /** It ended for another reason, which says nothing about the backend. */
  left(): void;
}

export interface Circuit {
  /** @returns how to tell what became of the request; or when to come back. */
  enter(): Result<Attempt, { readonly retryAfterSeconds: number }>;
  /** For whoever looks without being asked to, such as a health check: open or not, it is let through. */
  probe(): Attempt;
  state(): CircuitState;
}

export interface CircuitOptions {
  readonly config: CircuitConfig;
  readonly clock: Clock;
  /** Told of every change, with the failures in a row that led to it. */
  readonly onChange: (state: CircuitState, failures: number) => void;
}

/**
 * Closed: all pass. Open, after `failures` requests in a row without an answer: none passes for `openSeconds`. Half open:
 * one request after that tries, and one each further `openSeconds` while it gets no answer; the others go on hearing no.
 * An answer closes the circuit, a failure opens it again.
 *
 * A failure counts only if nothing has come back since that request went out. A tool that is slower than its time-out
 * must not close the door on the calls beside it that are answered.
 */
export function createCircuit({ config, clock, onChange }: CircuitOptions): Circuit {
  const openMs = config.openSeconds * 1000;
  const now = {
    state: 'closed' as CircuitState,
    failures: 0,
    /** When it opened, or the last one tried. */
    sinceMs: 0,
    answeredMs: Number.NEGATIVE_INFINITY,
  };

  function become(state: CircuitState): void {
    if (now.state === state) return;
    now.state = state;
    onChange(state, now.failures);
  }

  function open(): void {
    now.sinceMs = clock.nowMs();
    become('open');
  }

  function answered(): void {
    now.answeredMs = clock.nowMs();
    now.failures = 0;
    become('closed');
  }

  function failedAfter(startedMs: number): void {
    if (now.answeredMs > startedMs) return;
    now.failures += 1;
    if (now.state === 'closed' && now.failures >= config.failures) open();
  }

  const attempt = (): Attempt => {
    const startedMs = clock.nowMs();
    return { answered, failed: () => failedAfter(startedMs), left: () => {} };
  };

  /** The one that tries while the circuit is half open: its end decides. */
  const trial = (): Attempt => ({
    answered,
    failed: open,
    // Nobody knows more than before: the next request tries.
    left() {
      now.sinceMs = Number.NEGATIVE_INFINITY;
    },
  });

  if (config.failures === 0) return alwaysClosed;
  return {
    enter() {
      if (now.state === 'closed') return ok(attempt());
      const elapsedMs = clock.nowMs() - now.sinceMs;
      // Below zero: somebody has set the clock back.
      if (elapsedMs < openMs && elapsedMs >= 0) {
        return err({ retryAfterSeconds: Math.max(1, Math.ceil((openMs - elapsedMs) / 1000)) });
      }
      now.sinceMs = clock.nowMs();
      become('half_open');
      return ok(trial());
    },
    probe: attempt,
    state: () => now.state,
  };
}

const unheard: Attempt = { answered: () => {}, failed: () => {}, left: () => {} };

const alwaysClosed: Circuit = {
  enter: () => ok(unheard),
  probe: () => unheard,
  state: () => 'closed',
};
