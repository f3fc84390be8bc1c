/**
 * How long things took, for what happens with every call. OpenTelemetry's own histograms write all labels of a value down
 * as JSON to find its series, which costs a call more than everything else that is looked at together; here the values of
 * the labels lead to it one by one. Its readers get the result like that of their own instruments.
 */

type LabelValue = string | number;
type Labels<Name extends string> = { readonly [Each in Name]: LabelValue | undefined };

export interface TimingOptions<Name extends string> {
  readonly name: string;
  readonly description: string;
  /** Upper bounds of the buckets, in seconds. */
  readonly bounds: readonly number[];
  readonly labels: readonly Name[];
}

/** Values with the same labels. */
export interface TimingSeries {
  readonly labels: Readonly<Record<string, LabelValue>>;
  /** One more than there are bounds. */
  readonly counts: number[];
  /** In seconds. */
  sum: number;
  count: number;
}

type Branch = Map<LabelValue | undefined, Branch | TimingSeries>;

/** As OpenTelemetry has it: what comes beyond is counted without its labels. */
const maxSeries = 2000;
const overflowLabels = { 'otel.metric.overflow': 'true' };

export class Timing<Name extends string = string> {
  readonly options: TimingOptions<Name>;
  readonly series: TimingSeries[] = [];
  readonly #root: Branch = new Map();
  readonly #last: Name;
  #overflow: TimingSeries | undefined;

  constructor(options: TimingOptions<Name>) {
    this.options = options;
    this.#last = options.labels.at(-1) as Name;
  }

  /** @param labels one that is undefined is left out. */
  record(seconds: number, labels: Labels<Name>): void {
    const series = this.#find(labels);
    const { bounds } = this.options;
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket += 1;
    series.counts[bucket] = (series.counts[bucket] as number) + 1;
    series.sum += seconds;
    series.count += 1;
  }

  #find(labels: Labels<Name>): TimingSeries {
    let branch = this.#root;
    for (const name of this.options.labels) {
      const value = labels[name];
      const next = branch.get(value) ?? this.#grow(branch, name, labels);
      if (!(next instanceof Map)) return next;
      branch = next;
    }
    throw new Error('a timing without labels');
  }

  #grow(branch: Branch, name: Name, labels: Labels<Name>): Branch | TimingSeries {
    if (this.series.length >= maxSeries) {
      this.#overflow ??= this.#addSeries(overflowLabels);
      return this.#overflow;
    }
    const grown = name === this.#last ? this.#addSeries(labels) : (new Map() satisfies Branch);
    branch.set(labels[name], grown);
    return grown;
  }

  #addSeries(labels: Readonly<Record<string, LabelValue | undefined>>): TimingSeries {
    const known = Object.entries(labels).filter(
      (entry): entry is [string, LabelValue] => entry[1] !== undefined,
    );
    const counts = Array.from({ length: this.options.bounds.length + 1 }, () => 0);
    const series: TimingSeries = { labels: Object.fromEntries(known), counts, sum: 0, count: 0 };
    this.series.push(series);
    return series;
  }
}
