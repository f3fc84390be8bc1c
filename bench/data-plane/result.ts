/** What the parts of the bench have in common: what they find, and how figures become one. */
import type { Table, Target } from '../../tools/performance.ts';

/** What one part of the bench found out. */
export interface Found {
  readonly tables: readonly Table[];
  readonly targets: readonly Target[];
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

/** @param share 0.99 for the 99th percentile. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** To three or four figures: more of them would be noise. */
export function round(value: number, digits = value >= 100 ? 0 : value >= 10 ? 1 : 2): number {
  return Number(value.toFixed(digits));
}

export function megabytes(bytes: number): number {
  return round(bytes / 1_048_576, 1);
}
