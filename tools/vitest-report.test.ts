import { expect, test } from 'vitest';
import { countReport } from './vitest-report.ts';

const file = (status: string, ...statuses: string[]) => ({
  status,
  assertionResults: statuses.map((one) => ({ status: one })),
});

test('tests are counted by what became of them', () => {
  const report = {
    testResults: [file('failed', 'passed', 'failed'), file('passed', 'passed', 'skipped', 'todo', 'pending')],
  };
  expect(countReport(report)).toEqual({ passed: 2, failed: 1, skipped: 3 });
});

test('a file that does not load is one failure, although none of its tests ran', () => {
  expect(countReport({ testResults: [file('failed')] })).toEqual({ passed: 0, failed: 1, skipped: 0 });
});
