/** What a Prometheus server reads: one page of text, over all processes of the gateway. */
import { ValueType } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationTemporality, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics';
import type { MetricFamily, Series } from './metric-family.ts';

/** What one process collected. */
export interface Part {
  /** Told apart by this label; undefined: there is one process. */
  readonly worker?: string;
  readonly families: readonly MetricFamily[];
}

/** Text exposition format 0.0.4. @param target shown as `target_info`: name and version of the service. */
export function renderPrometheus(parts: readonly Part[], target: Readonly<Record<string, string>>): string {
  const metrics = [...mergeByName(parts).values()].map(metricOf);
  return new PrometheusSerializer(undefined, false, undefined, false, true).serialize({
    resource: resourceFromAttributes({ ...target }),
    scopeMetrics: [{ scope: { name: 'valetkey' }, metrics }],
  });
}

/** All series of one name must stand together. */
function mergeByName(parts: readonly Part[]): Map<string, MetricFamily> {
  const merged = new Map<string, MetricFamily>();
  for (const { worker, families } of parts) {
    for (const family of families) {
      const series =
        worker === undefined
          ? family.series
          : family.series.map(({ labels, value }) => ({ labels: { ...labels, worker }, value }));
      const before = merged.get(family.name)?.series ?? [];
      merged.set(family.name, { ...family, series: [...before, ...series] });
    }
  }
  return merged;
}

/** The unit becomes part of the name (Prometheus and OpenMetrics compatibility, "Metric Metadata"). */
const suffixes: ReadonlyMap<string, string> = new Map([
  ['s', '_seconds'],
  ['By', '_bytes'],
  ['1', '_ratio'],
]);

const noTime: [number, number] = [0, 0];

function metricOf({ name, description, unit, kind, series }: MetricFamily): MetricData {
  const common = {
    descriptor: {
      name: `${name}${suffixes.get(unit) ?? ''}`,
      description,
      unit: '',
      valueType: ValueType.DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const pointOf = ({ labels }: Series) => ({ attributes: { ...labels }, startTime: noTime, endTime: noTime });
  if (kind !== 'histogram') {
    const dataPoints = series.map((each) => ({ ...pointOf(each), value: Number(each.value) }));
    return kind === 'counter'
      ? { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
      : { ...common, dataPointType: DataPointType.GAUGE, dataPoints };
  }
  const dataPoints = series.flatMap((each) => {
    if (typeof each.value === 'number') return [];
    const { count, sum, boundaries, counts } = each.value;
    const value = { count, sum, buckets: { boundaries: [...boundaries], counts: [...counts] } };
    return [{ ...pointOf(each), value }];
  });
  return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints };
}
