import type { Clock } from '@valetkey/core/base/clock';
import { err, type Result } from '@valetkey/core/base/result';
import type { Logger } from 'pino';
import type { AnyBackendConfig } from '../../config/config.ts';
import type { Exchange } from '../../http/exchange.ts';
import type { BackendState } from '../../telemetry/telemetry.ts';
import {
  type BackendFault,
  type BackendProxy,
  type Forwarded,
  type ForwardRequest,
  faultName,
} from '../backend-proxy.ts';
import { createCapacity, type Release } from './capacity.ts';
import { type Attempt, createCircuit } from './circuit.ts';
import { type Probe, startHealthCheck } from './health-check.ts';
import type { RepeatingTimer } from '../../store/sweeper.ts';

export interface ResilientProxy extends BackendProxy {
  state(): BackendState;
  /** Asks the backend no more whether it is there: another proxy has taken over, and this one lets its requests end. */
  retire(): void;
}

export interface ResilientProxyOptions {
  readonly backend: Pick<AnyBackendConfig, 'name' | 'capacity' | 'circuit' | 'health'>;
  /** Whatever the backend speaks. */
  readonly proxy: BackendProxy;
  /** Asks the backend whether it is there; undefined: there is no way to. */
  readonly probe?: Probe | undefined;
  readonly clock: Clock;
  readonly timer: RepeatingTimer;
  readonly log: Logger;
}

/** There may be room as soon as another request ends. */
const busySeconds = 1;

/** Faults in which the backend did not answer. All others say that it did, or nothing about it. */
const unanswered: ReadonlySet<string> = new Set(['unreachable', 'timeout']);
const answered: ReadonlySet<string> = new Set(['credential_refused', 'unusable_answer']);

/** Puts the bounds, the circuit breaker and the health check of one backend in front of the way to it. */
export function createResilientProxy(options: ResilientProxyOptions): ResilientProxy {
  const { backend, proxy, probe, clock, timer, log } = options;
  const { name } = backend;
  const capacity = createCapacity(backend.capacity);
  const circuit = createCircuit({
    config: backend.circuit,
    clock,
    onChange(state, failures) {
      if (state === 'open') log.error({ backend: name, failures }, 'backend does not answer: circuit open');
      else if (state === 'closed') log.info({ backend: name }, 'backend answers again: circuit closed');
    },
  });
  const health =
    backend.health === undefined || probe === undefined
      ? undefined
      : startHealthCheck({ backend: name, health: backend.health, probe, circuit, timer, log });

  return {
    forward(exchange, request) {
      const entered = capacity.enter(request.load, (giveUp) => void exchange.res.once('close', giveUp));
      if (entered instanceof Promise) return entered.then((release) => sendLate(exchange, request, release));
      return send(exchange, request, entered);
    },
    state: () => ({
      name,
      breaker: circuit.state(),
      ...(health === undefined ? {} : { isHealthy: health.isHealthy() }),
    }),
    retire: () => health?.stop(),
    async close() {
      await health?.close();
      await proxy.close();
    },
  };

  /** What was allowed when it came is not, by now, if its right has ended while it waited. */
  async function sendLate(
    exchange: Exchange,
    request: ForwardRequest,
    release: Release | undefined,
  ): Promise<Result<Forwarded, BackendFault>> {
    const goesOn = release === undefined || (await request.mayStill?.()) !== false;
    if (goesOn) return send(exchange, request, release);
    release();
    return err('lapsed');
  }

  async function send(
    exchange: Exchange,
    request: ForwardRequest,
    release: Release | undefined,
  ): Promise<Result<Forwarded, BackendFault>> {
    if (release === undefined) {
      if (exchange.res.destroyed) return err('client_gone');
      log.warn({ requestId: exchange.id, backend: name, ...capacity.count() }, 'no room at a backend');
      return err({ kind: 'busy', retryAfterSeconds: busySeconds });
    }
    const entered = circuit.enter();
    if (!entered.ok) {
      release();
      return err({ kind: 'circuit_open', ...entered.error });
    }
    const attempt = entered.value;
    try {
      const forwarded = await proxy.forward(exchange, request);
      if (forwarded.ok) {
        attempt.answered();
        if (forwarded.value.end === undefined) void forwarded.value.ended.then(release);
        else release();
      } else {
        tell(attempt, forwarded.error);
        release();
      }
      return forwarded;
    } catch (fault) {
      attempt.left();
      release();
      throw fault;
    }
  }
}

function tell(attempt: Attempt, fault: BackendFault): void {
  const name = faultName(fault);
  if (unanswered.has(name)) attempt.failed();
  else if (answered.has(name)) attempt.answered();
  else attempt.left();
}
