import type { Logger } from 'pino';
import type { HealthConfig } from '../../config/config.ts';
import type { RepeatingTimer } from '../../store/sweeper.ts';
import type { Circuit } from './circuit.ts';

/** Whether the backend is there, or why not. Never rejects. */
export type Probe = () => Promise<ProbeResult>;

export type ProbeResult =
  | { readonly kind: 'up' }
  /** It answered, and says itself that it cannot work. */
  | { readonly kind: 'unwell'; readonly reason: string }
  /** It did not answer. */
  | { readonly kind: 'down'; readonly reason: string };

export interface HealthCheck {
  /** What the last check said; until the first one has ended, yes. */
  isHealthy(): boolean;
  /** No further checks; what one finds that is under way counts no more. */
  stop(): void;
  /** Likewise, and waits for it. */
  close(): Promise<void>;
}

export interface HealthCheckOptions {
  readonly backend: string;
  readonly health: HealthConfig;
  readonly probe: Probe;
  readonly circuit: Circuit;
  readonly timer: RepeatingTimer;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/**
 * Looks now and then whether the backend is there. What it finds counts at the circuit breaker like a request: an outage is
 * known before a person meets it, and its end before the next one tries. A backend that answers but calls itself unwell
 * is told of and not shut out: what it does answer is its own to say.
 */
export function startHealthCheck(options: HealthCheckOptions): HealthCheck {
  const { backend, health, probe, circuit, timer, log } = options;
  const now = { isHealthy: true, running: Promise.resolve(), isBusy: false, isStopped: false };

  function note(result: ProbeResult): void {
    const isHealthy = result.kind === 'up';
    if (isHealthy === now.isHealthy) return;
    now.isHealthy = isHealthy;
    if (isHealthy) log.info({ backend }, 'backend is healthy again');
    else log.warn({ backend, ...result }, 'backend fails its health check');
  }

  async function check(): Promise<void> {
    const attempt = circuit.probe();
    const result = await probe();
    if (now.isStopped) return;
    if (result.kind === 'down') attempt.failed();
    else attempt.answered();
    note(result);
  }

  const tick = () => {
    if (now.isBusy || now.isStopped) return;
    now.isBusy = true;
    now.running = check().finally(() => {
      now.isBusy = false;
    });
  };
  const stopTimer = timer(tick, health.intervalSeconds * 1000);
  const stop = () => {
    now.isStopped = true;
    stopTimer();
  };
  tick();
  return {
    isHealthy: () => now.isHealthy,
    stop,
    async close() {
      stop();
      await now.running;
    },
  };
}
