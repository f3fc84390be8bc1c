import { ValueType } from '@opentelemetry/api';
import { hrTime } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type HistogramMetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { Timing, TimingSeries } from './timing.ts';

type Values = Pick<TimingSeries, 'counts' | 'sum' | 'count'>;

/**
 * Hands timings to one reader of OpenTelemetry.
 * @param temporality what the reader's exporter wants: all since the beginning, or what came since the last look.
 */
export function createTimingProducer(
  timings: readonly Timing[],
  resource: Resource,
  temporality: AggregationTemporality,
): MetricProducer {
  const isDelta = temporality === AggregationTemporality.DELTA;
  const told = new Map<TimingSeries, Values>();
  let startTime = hrTime();

  function collectTiming({ options, series }: Timing, endTime: typeof startTime): HistogramMetricData {
    const { name, description, bounds } = options;
    return {
      descriptor: { name, description, unit: 's', valueType: ValueType.DOUBLE },
      dataPointType: DataPointType.HISTOGRAM,
      aggregationTemporality: temporality,
      dataPoints: series.flatMap((each) => {
        const { counts, sum, count } = isDelta ? takeNews(each) : each;
        if (count === 0) return [];
        const value = { buckets: { boundaries: [...bounds], counts: [...counts] }, sum, count };
        return [{ attributes: { ...each.labels }, startTime, endTime, value }];
      }),
    };
  }

  function takeNews(series: TimingSeries): Values {
    const { counts, sum, count } = series;
    const before = told.get(series);
    told.set(series, { counts: [...counts], sum, count });
    if (before === undefined) return series;
    return {
      counts: counts.map((each, index) => each - (before.counts[index] ?? 0)),
      sum: sum - before.sum,
      count: count - before.count,
    };
  }

  return {
    async collect() {
      const endTime = hrTime();
      const metrics = timings.map((timing) => collectTiming(timing, endTime));
      if (isDelta) startTime = endTime;
      const scopeMetrics = [{ scope: { name: 'valetkey' }, metrics }];
      return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
    },
  };
}
