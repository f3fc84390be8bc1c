/** The metrics SDK: loaded by `open-telemetry.ts` when metrics are asked for, and nowhere else. */
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  InstrumentType,
  MeterProvider,
  type MetricData,
  type MetricProducer,
  MetricReader,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import type { TelemetryConfig } from '../config/config.ts';
import { type Levels, observeGauges } from './gauges.ts';
import { createCounts, createTimings, type Instruments } from './instruments.ts';
import type { MetricFamily, Series } from './metric-family.ts';
import { sendLastWords } from './last-words.ts';
import type { Gauges } from './telemetry.ts';
import { createTimingProducer } from './timing-producer.ts';

export interface Metrics {
  readonly instruments: Instruments;
  readonly levels: Levels;
  report(sources: Gauges): void;
  /** Empty where nobody is to ask. */
  collect(): Promise<readonly MetricFamily[]>;
  close(): Promise<void>;
}

/** Collects when somebody asks. */
class AskedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

type CreateProducer = (temporality: AggregationTemporality) => MetricProducer;

export async function openMetrics(config: TelemetryConfig['metrics'], resource: Resource): Promise<Metrics> {
  const timings = createTimings();
  const createProducer: CreateProducer = (temporality) =>
    createTimingProducer(Object.values(timings), resource, temporality);
  // The SDK keeps what a reader has not collected yet, for as long as it takes: so nobody reads who is not asked.
  const asked = config.prometheus === undefined ? undefined : openAsked(createProducer);
  const pushed = config.otlp === undefined ? undefined : await openPush(config.otlp, createProducer);
  const readers = [asked, pushed].filter((reader) => reader !== undefined);
  const provider = new MeterProvider({ resource, readers });
  const meter = provider.getMeter('valetkey');
  const levels: Levels = { requests: 0, streams: new Map() };
  const gauges = observeGauges(meter, levels);
  return {
    instruments: { ...timings, ...createCounts(meter) },
    levels,
    report: (sources) => gauges.report(sources),
    collect: async () => (asked === undefined ? [] : familiesOf(await asked.collect())),
    async close() {
      gauges.close();
      await sendLastWords(() => provider.shutdown());
    },
  };
}

function openAsked(createProducer: CreateProducer): MetricReader {
  return new AskedReader({ metricProducers: [createProducer(AggregationTemporality.CUMULATIVE)] });
}

async function openPush(
  otlp: NonNullable<TelemetryConfig['metrics']['otlp']>,
  createProducer: CreateProducer,
): Promise<MetricReader> {
  const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-proto');
  const { endpoint, intervalSeconds } = otlp;
  const url = endpoint === undefined ? {} : { url: `${endpoint.replace(/\/$/, '')}/v1/metrics` };
  const exporter = new OTLPMetricExporter(url);
  return new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalSeconds * 1000,
    exportTimeoutMillis: Math.min(intervalSeconds * 1000, 10_000),
    metricProducers: [createProducer(exporter.selectAggregationTemporality(InstrumentType.HISTOGRAM))],
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
