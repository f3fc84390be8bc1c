/** One metric with all its series, as plain data that can go from process to process. */
export interface MetricFamily {
  /** As OpenTelemetry has it: `http.server.request.duration`. */
  readonly name: string;
  readonly description: string;
  /** UCUM: `s`, `By`, `{request}`. */
  readonly unit: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly series: readonly Series[];
}

export interface Series {
  readonly labels: Labels;
  readonly value: number | HistogramValue;
}

export type Labels = Readonly<Record<string, string | number>>;

export interface HistogramValue {
  readonly count: number;
  readonly sum: number;
  /** Upper bounds; one count more than there are bounds. */
  readonly boundaries: readonly number[];
  readonly counts: readonly number[];
}
