import { expect, test } from 'vitest';
import { Timing } from './timing.ts';

test('values with the same labels are one series, and a label that is undefined is not there', () => {
  const timing = new Timing({ name: 'a', description: 'b', bounds: [1, 2], labels: ['backend', 'fault'] });
  timing.record(0.5, { backend: 'one', fault: undefined });
  timing.record(1.5, { backend: 'one', fault: undefined });
  timing.record(9, { backend: 'one', fault: 'timeout' });
  timing.record(2, { backend: 'two', fault: undefined });
  expect(timing.series).toEqual([
    { labels: { backend: 'one' }, counts: [1, 1, 0], sum: 2, count: 2 },
    { labels: { backend: 'one', fault: 'timeout' }, counts: [0, 0, 1], sum: 9, count: 1 },
    { labels: { backend: 'two' }, counts: [0, 1, 0], sum: 2, count: 1 },
  ]);
});

test('a number and its text are two values', () => {
  const timing = new Timing({ name: 'a', description: 'b', bounds: [1], labels: ['status'] });
  timing.record(0, { status: 200 });
  timing.record(0, { status: '200' });
  expect(timing.series).toHaveLength(2);
});

test('CWE-770: beyond 2,000 series all that is new is counted in one without labels of its own', () => {
  const timing = new Timing({ name: 'a', description: 'b', bounds: [1], labels: ['one', 'other'] });
  for (let each = 0; each < 3_000; each += 1) timing.record(0, { one: each % 3, other: each });
  expect(timing.series).toHaveLength(2_001);
  expect(timing.series.at(-1)).toEqual({
    labels: { 'otel.metric.overflow': 'true' },
    counts: [1_000, 0],
    sum: 0,
    count: 1_000,
  });
  timing.record(0, { one: 1, other: 1 });
  expect(timing.series[1]?.count).toBe(2);
});
