/** What vitest's JSON report says: the three numbers of the last line, and which tests passed. */
import { readFileSync } from 'node:fs';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}
interface Report {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly title?: string }[];
  }[];
}

export function addCounts(one: Counts, other: Counts): Counts {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
  };
}

/** A file that failed before any of its tests did (it does not load, a hook threw) is one failure. */
export function countReport(report: Report): Counts {
  let counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const file of report.testResults) {
    const of = (...wanted: string[]) =>
      file.assertionResults.filter(({ status }) => wanted.includes(status)).length;
    const inFile = {
      passed: of('passed'),
      failed: of('failed'),
      skipped: of('skipped', 'pending', 'todo', 'disabled'),
    };
    const isBroken = file.status === 'failed' && inFile.failed === 0;
    counts = addCounts(counts, isBroken ? { ...inFile, failed: 1 } : inFile);
  }
  return counts;
}

/** @returns no counts at all when vitest did not get as far as writing a report; its exit code tells. */
export function readVitestReport(path: string): Counts {
  try {
    return countReport(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

export function passedTitlesOf(report: Report): ReadonlySet<string> {
  const results = report.testResults.flatMap((file) => file.assertionResults);
  return new Set(results.filter(({ status }) => status === 'passed').map(({ title = '' }) => title));
}

/** @returns none at all when there is no report: then nothing has passed. */
export function readPassedTitles(path: string): ReadonlySet<string> {
  try {
    return passedTitlesOf(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return new Set();
  }
}
