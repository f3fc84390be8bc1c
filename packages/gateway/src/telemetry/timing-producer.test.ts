/** The judge is OpenTelemetry's own histogram: it is told the same, and must be collected as the same. */
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type HistogramMetricData,
  type MetricData,
  MeterProvider,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import { array, assert, asyncProperty, constantFrom, double, oneof, record } from 'fast-check';
import { expect, test } from 'vitest';
import { Timing } from './timing.ts';
import { createTimingProducer } from './timing-producer.ts';

class AskedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const bounds = [0.001, 0.01, 0.1, 1];
const shared = { name: 'mcp.server.operation.duration', description: 'Duration of MCP operations.' };
const { DELTA, CUMULATIVE } = AggregationTemporality;

function openBoth(temporality: AggregationTemporality) {
  const resource = resourceFromAttributes({ 'service.name': 'valetkey' });
  const timing = new Timing({ ...shared, bounds, labels: ['backend', 'status', 'fault'] });
  const ours = createTimingProducer([timing], resource, temporality);
  const reader = new AskedReader({ aggregationTemporalitySelector: () => temporality });
  const judge = new MeterProvider({ resource, readers: [reader] })
    .getMeter('valetkey')
    .createHistogram(shared.name, {
      description: shared.description,
      unit: 's',
      advice: { explicitBucketBoundaries: bounds },
    });
  return {
    record(seconds: number, status: number, fault: string | undefined) {
      timing.record(seconds, { backend: 'snippets', status, fault });
      judge.record(seconds, { backend: 'snippets', status, ...(fault === undefined ? {} : { fault }) });
    },
    ours: async () => readable((await ours.collect()).resourceMetrics.scopeMetrics[0]?.metrics),
    judge: async () => readable((await reader.collect()).resourceMetrics.scopeMetrics[0]?.metrics),
  };
}

/** Without the times, and without the least and the most, which ours does not keep. */
function readable(metrics: readonly MetricData[] = []) {
  return (metrics as readonly HistogramMetricData[])
    .filter(({ dataPoints }) => dataPoints.length > 0)
    .map(({ descriptor, aggregationTemporality, dataPointType, dataPoints }) => ({
      name: descriptor.name,
      description: descriptor.description,
      unit: descriptor.unit,
      aggregationTemporality,
      dataPointType,
      points: dataPoints
        .map(({ attributes, value: { count, sum = 0, buckets } }) => ({
          attributes,
          count,
          sum: sum.toFixed(9),
          buckets,
        }))
        .toSorted((one, other) =>
          JSON.stringify(one.attributes).localeCompare(JSON.stringify(other.attributes)),
        ),
    }));
}

const values = array(
  record({
    // The bounds themselves among them.
    seconds: oneof(constantFrom(0, ...bounds), double({ min: 0, max: 5, noNaN: true })),
    status: constantFrom(200, 403, 502),
    fault: constantFrom(undefined, 'timeout'),
  }),
);

test.each([
  ['all since the beginning', CUMULATIVE],
  ['what came since the last look', DELTA],
])('a reader that wants %s gets what an instrument of its own would tell it', async (_name, temporality) => {
  const rounds = array(values, { minLength: 1, maxLength: 4 });
  await assert(
    asyncProperty(rounds, async (looks) => {
      const both = openBoth(temporality);
      for (const look of looks) {
        for (const { seconds, status, fault } of look) both.record(seconds, status, fault);
        expect(await both.ours()).toEqual(await both.judge());
      }
    }),
    { numRuns: 50 },
  );
});

test('two readers do not take from each other', async () => {
  const timing = new Timing({ ...shared, bounds, labels: ['backend'] });
  const resource = resourceFromAttributes({});
  const [pushed, asked] = [DELTA, CUMULATIVE].map((each) => createTimingProducer([timing], resource, each));
  const countOf = async (producer = pushed) =>
    readable((await producer?.collect())?.resourceMetrics.scopeMetrics[0]?.metrics)[0]?.points[0]?.count;
  timing.record(1, { backend: 'snippets' });
  expect([await countOf(pushed), await countOf(asked)]).toEqual([1, 1]);
  timing.record(1, { backend: 'snippets' });
  expect([await countOf(pushed), await countOf(asked)]).toEqual([1, 2]);
  expect([await countOf(pushed), await countOf(asked)]).toEqual([undefined, 2]);
});
