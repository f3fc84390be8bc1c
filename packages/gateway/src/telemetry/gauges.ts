/** What is looked at when somebody collects: queues, streams, backends, and the process itself. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Meter, ObservableResult } from '@opentelemetry/api';
import type { Gauges } from './telemetry.ts';

/** Counted by the watches of requests. */
export interface Levels {
  requests: number;
  /** Streams that stay open, by backend. */
  readonly streams: Map<string, number>;
}

export interface ObservedGauges {
  report(sources: Gauges): void;
  close(): void;
}

export function observeGauges(meter: Meter, levels: Levels): ObservedGauges {
  let sources: Gauges = {};
  const gauge = (
    name: string,
    unit: string,
    description: string,
    observe: (result: ObservableResult) => void,
  ) => meter.createObservableGauge(name, { unit, description }).addCallback(observe);

  gauge('http.server.active_requests', '{request}', 'Requests under way.', (result) =>
    result.observe(levels.requests),
  );
  gauge('valetkey.streams.open', '{stream}', 'Streams that stay open.', (result) => {
    for (const [backend, count] of levels.streams) result.observe(count, { 'valetkey.backend': backend });
  });
  gauge('valetkey.audit.queue.records', '{record}', 'Audit records that wait to be written.', (result) => {
    for (const { name, queued } of sources.audit?.() ?? []) result.observe(queued, { sink: name });
  });
  gauge('valetkey.audit.queue.size', 'By', 'Bytes of the audit records that wait.', (result) => {
    for (const { name, queuedBytes } of sources.audit?.() ?? []) result.observe(queuedBytes, { sink: name });
  });
  meter
    .createObservableCounter('valetkey.audit.dropped', {
      unit: '{record}',
      description: 'Audit records that were lost, since the queue was full.',
    })
    .addCallback((result) => {
      for (const { name, dropped } of sources.audit?.() ?? []) result.observe(dropped, { sink: name });
    });
  gauge(
    'valetkey.revocations.age',
    's',
    'Since when revocations elsewhere may be unknown here.',
    (result) => {
      if (sources.feedAgeSeconds !== undefined) result.observe(sources.feedAgeSeconds());
    },
  );
  gauge('valetkey.backend.up', '', 'Whether calls are sent to the backend: 1 or 0.', (result) => {
    for (const { name, breaker, isHealthy = true } of sources.backends?.() ?? [])
      result.observe(breaker !== 'open' && isHealthy ? 1 : 0, { 'valetkey.backend': name });
  });
  gauge(
    'valetkey.backend.circuit',
    '',
    'The state of the circuit breaker: 1 for the one it is in.',
    (result) => {
      for (const { name, breaker } of sources.backends?.() ?? []) {
        for (const state of ['closed', 'half_open', 'open'])
          result.observe(state === breaker ? 1 : 0, { 'valetkey.backend': name, 'valetkey.circuit': state });
      }
    },
  );
  const stop = observeProcess(meter, gauge);

  return {
    report: (more) => {
      sources = { ...sources, ...more };
    },
    close: stop,
  };
}

const nanosecondsPerSecond = 1e9;

function observeProcess(
  meter: Meter,
  gauge: (name: string, unit: string, text: string, observe: (result: ObservableResult) => void) => void,
): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let utilization = performance.eventLoopUtilization();
  const inSeconds = (nanoseconds: number) =>
    Number.isFinite(nanoseconds) ? nanoseconds / nanosecondsPerSecond : 0;
  gauge('nodejs.eventloop.delay.p50', 's', 'Event loop delay, median since the last look.', (result) =>
    result.observe(inSeconds(delay.percentile(50))),
  );
  gauge(
    'nodejs.eventloop.delay.p99',
    's',
    'Event loop delay, 99th percentile since the last look.',
    (result) => result.observe(inSeconds(delay.percentile(99))),
  );
  gauge('nodejs.eventloop.delay.max', 's', 'Event loop delay, the longest since the last look.', (result) => {
    result.observe(inSeconds(delay.max));
    // The last of the three in the order of their making.
    delay.reset();
  });
  gauge(
    'nodejs.eventloop.utilization',
    '1',
    'The part of the time that the event loop was busy.',
    (result) => {
      const now = performance.eventLoopUtilization();
      result.observe(performance.eventLoopUtilization(now, utilization).utilization);
      utilization = now;
    },
  );
  gauge('process.memory.usage', 'By', 'Resident memory.', (result) =>
    result.observe(process.memoryUsage.rss()),
  );
  gauge('v8js.memory.heap.used', 'By', 'Heap in use.', (result) =>
    result.observe(process.memoryUsage().heapUsed),
  );
  gauge('process.uptime', 's', 'Since the start of the process.', (result) =>
    result.observe(process.uptime()),
  );
  meter
    .createObservableCounter('process.cpu.time', { unit: 's', description: 'Processor time.' })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe(user / 1e6, { 'cpu.mode': 'user' });
      result.observe(system / 1e6, { 'cpu.mode': 'system' });
    });
  return () => delay.disable();
}
