import type { Driver } from '../store/driver.ts';
import type { Metrics } from './metrics.ts';
import type { Tracing } from './tracing.ts';

type Operation = Exclude<keyof Driver, 'close'>;

export interface DriverObservers {
  /** `db.system.name` of the semantic conventions. */
  readonly system: 'sqlite' | 'redis' | 'postgresql';
  readonly metrics: Metrics | undefined;
  readonly tracing: Tracing | undefined;
}

const operations: readonly Operation[] = [
  'get',
  'put',
  'create',
  'replace',
  'take',
  'delete',
  'list',
  'deleteGroup',
  'scan',
  'sweep',
  'ping',
];

/** How long the store takes, and how often it fails. Keys stay out: they are hashes, but of a person's things. */
export function observeDriver(driver: Driver, { system, metrics, tracing }: DriverObservers): Driver {
  const observe = (name: Operation) => {
    const work = driver[name].bind(driver) as (...args: unknown[]) => Promise<unknown>;
    return async (...args: unknown[]): Promise<unknown> => {
      const attributes = { 'db.system.name': system, 'db.operation.name': name };
      const startMs = performance.now();
      const span = tracing?.beginHere(`${name} ${system}`, attributes);
      let errorType: string | undefined;
      try {
        return await work(...args);
      } catch (fault) {
        errorType = fault instanceof Error ? fault.name : 'unknown';
        throw fault;
      } finally {
        const failed = errorType === undefined ? {} : { 'error.type': errorType };
        metrics?.instruments.store.record((performance.now() - startMs) / 1000, { ...attributes, ...failed });
        span?.end({ errorType });
      }
    };
  };
  const observed = Object.fromEntries(operations.map((name) => [name, observe(name)]));
  return { ...(observed as unknown as Driver), close: () => driver.close() };
}
