/** The metrics SDK: loaded by `open-telemetry.ts` when metrics are asked for, and nowhere else. */
import type { Resource } from '@opentelemetry/resources';
import {
  type CollectionResult,
  DataPointType,
  MeterProvider,
  type MetricData,
  MetricReader,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import type { TelemetryConfig } from '../config/config.ts';
import { type Levels, observeGauges } from './gauges.ts';
import { createInstruments, type Instruments } from './instruments.ts';
import type { MetricFamily, Series } from './metric-family.ts';
import { sendLastWords } from './last-words.ts';
import type { Gauges } from './telemetry.ts';

export interface Metrics {
  readonly instruments: Instruments;
  readonly levels: Levels;
  report(sources: Gauges): void;
  collect(): Promise<readonly MetricFamily[]>;
  close(): Promise<void>;
}

/** Collects when somebody asks. */
class AskedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

export async function openMetrics(config: TelemetryConfig['metrics'], resource: Resource): Promise<Metrics> {
  const asked = new AskedReader();
  const pushed = config.otlp === undefined ? [] : [await openPush(config.otlp)];
  const provider = new MeterProvider({ resource, readers: [asked, ...pushed] });
  const meter = provider.getMeter('valetkey');
  const levels: Levels = { requests: 0, streams: new Map() };
  const instruments = createInstruments(meter);
  const gauges = observeGauges(meter, levels);
  return {
    instruments,
    levels,
    report: (sources) => gauges.report(sources),
    collect: async () => familiesOf(await asked.collect()),
    async close() {
      gauges.close();
      await sendLastWords(() => provider.shutdown());
    },
  };
}

async function openPush(otlp: NonNullable<TelemetryConfig['metrics']['otlp']>): Promise<MetricReader> {
  const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-proto');
  const { endpoint, intervalSeconds } = otlp;
  return new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(
      endpoint === undefined ? {} : { url: `${endpoint.replace(/\/$/, '')}/v1/metrics` },
    ),
    exportIntervalMillis: intervalSeconds * 1000,
    exportTimeoutMillis: Math.min(intervalSeconds * 1000, 10_000),
  });
}

function familiesOf({ resourceMetrics }: CollectionResult): MetricFamily[] {
  return resourceMetrics.scopeMetrics.flatMap(({ metrics }) =>
    metrics.map((metric) => ({
      name: metric.descriptor.name,
      description: metric.descriptor.description,
      unit: metric.descriptor.unit,
      kind: kindOf(metric),
      series: seriesOf(metric),
    })),
  );
}

function kindOf(metric: MetricData): MetricFamily['kind'] {
  if (metric.dataPointType === DataPointType.HISTOGRAM) return 'histogram';
  return metric.dataPointType === DataPointType.SUM && metric.isMonotonic ? 'counter' : 'gauge';
}

function seriesOf(metric: MetricData): Series[] {
  if (metric.dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) return [];
  if (metric.dataPointType !== DataPointType.HISTOGRAM) {
    return metric.dataPoints.map(({ attributes, value }) => ({
      labels: attributes as Series['labels'],
      value,
    }));
  }
  return metric.dataPoints.map(({ attributes, value: { count, sum = 0, buckets } }) => ({
    labels: attributes as Series['labels'],
    value: { count, sum, boundaries: buckets.boundaries, counts: buckets.counts },
  }));
}
