/**
 * Room `telemetry`: how the gateway is doing, for operators: metrics, traces, the access log. It is told by the parts
 * that do the work, through the small interfaces below; they know nothing of OpenTelemetry, and none of it is loaded
 * where nobody asked for it. Of persons it knows nothing, and what a client chooses becomes a label only where the
 * configuration names it.
 */
import type { AuditRecord } from '../audit/sink.ts';
import type { SinkState } from '../audit/event.ts';
import type { Outbound } from '../entra/outbound.ts';
import type { RequestObserver } from '../http/observer.ts';
import type { Driver } from '../store/driver.ts';
import type { WatchCall } from './call-watch.ts';
import type { MetricFamily } from './metric-family.ts';

export interface Telemetry {
  /** Undefined: nobody looks, and a request pays nothing. */
  readonly requests: RequestObserver | undefined;
  /** Undefined likewise. */
  readonly watchCall: WatchCall | undefined;
  /** Put around the driver of the store, and around what leads to Entra and Graph. */
  observeDriver(driver: Driver): Driver;
  observeOutbound(outbound: Outbound): Outbound;
  /** Told of each audit record. */
  readonly onRecord: ((record: AuditRecord) => void) | undefined;
  /** Adds what is looked at whenever metrics are collected. A later one of the same name takes its place. */
  report(sources: Gauges): void;
  /** All metrics as they are now, as plain data: what a worker sends to whoever answers the scraper. */
  collect(): Promise<readonly MetricFamily[]>;
  /** Sends what is left. */
  close(): Promise<void>;
}

/** What is not counted but looked at. */
export interface Gauges {
  readonly audit?: () => readonly SinkState[];
  /** Since when revocations of other replicas may be unknown here. */
  readonly feedAgeSeconds?: () => number;
  readonly backends?: () => readonly BackendState[];
}

export interface BackendState {
  readonly name: string;
  /** `open`: nothing is sent to it for a while. */
  readonly breaker: 'closed' | 'half_open' | 'open';
  /** What the last health check said; undefined: there is none. */
  readonly isHealthy?: boolean;
}

export const noTelemetry: Telemetry = {
  requests: undefined,
  watchCall: undefined,
  observeDriver: (driver) => driver,
  observeOutbound: (outbound) => outbound,
  onRecord: undefined,
  report: () => {},
  collect: async () => [],
  close: async () => {},
};
