/** The text that a Prometheus server reads, as far as a test looks into it. */
export interface Samples {
  readonly names: ReadonlySet<string>;
  /** How many samples there are. */
  readonly count: number;
  /** The sum over all series that have these labels. */
  sum(name: string, labels: Readonly<Record<string, string>>): number;
}

export function readSamples(text: string): Samples {
  const samples = text.split('\n').flatMap((line) => {
    const [, name = '', labels = '', value = ''] = /^([a-z_:]\w*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? [];
    return name === '' ? [] : [{ name, labels: readLabels(labels), value: Number(value) }];
  });
  return {
    names: new Set(samples.map(({ name }) => name)),
    count: samples.length,
    sum: (name, wanted) =>
      samples
        .filter((sample) => sample.name === name)
        .filter(({ labels }) => Object.entries(wanted).every(([label, value]) => labels[label] === value))
        .reduce((total, { value }) => total + value, 0),
  };
}

function readLabels(text: string): Record<string, string> {
  const pairs = text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g);
  return Object.fromEntries([...pairs].map(([, label = '', value = '']) => [label, value]));
}
