import { expect, test } from 'vitest';
import type { MetricFamily } from './metric-family.ts';
import { renderPrometheus } from './prometheus.ts';

const target = { 'service.name': 'valetkey', 'service.version': '1.2.3' };
const requests = (count: number): MetricFamily => ({
  name: 'http.server.request.duration',
  description: 'Duration.',
  unit: 's',
  kind: 'histogram',
  series: [
    {
      labels: { 'http.route': '/a' },
      value: { count, sum: 0.5, boundaries: [0.1, 1], counts: [count, 0, 0] },
    },
  ],
});
const dropped: MetricFamily = {
  name: 'valetkey.audit.dropped',
  description: 'Lost.',
  unit: '{record}',
  kind: 'counter',
  series: [{ labels: { sink: 'a "quoted" \\ name\nwith a line' }, value: 7 }],
};
const memory: MetricFamily = {
  name: 'process.memory.usage',
  description: 'Memory.',
  unit: 'By',
  kind: 'gauge',
  series: [{ labels: {}, value: 1024 }],
};

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('units become part of the name, a counter ends in _total, and labels are escaped', () => {
  const lines = linesOf(renderPrometheus([{ families: [requests(3), dropped, memory] }], target));
  expect(lines).toContain('target_info{service_name="valetkey",service_version="1.2.3"} 1');
  expect(lines).toContain('http_server_request_duration_seconds_count{http_route="/a"} 3');
  expect(lines).toContain('http_server_request_duration_seconds_bucket{http_route="/a",le="+Inf"} 3');
  expect(lines).toContain('valetkey_audit_dropped_total{sink="a \\"quoted\\" \\\\ name\\nwith a line"} 7');
  expect(lines).toContain('process_memory_usage_bytes 1024');
});

test('several processes: each series under its worker, each family once', () => {
  const text = renderPrometheus(
    [
      { worker: '1', families: [requests(3), memory] },
      { worker: '2', families: [requests(4), memory] },
    ],
    target,
  );
  expect(linesOf(text)).toContain('http_server_request_duration_seconds_count{http_route="/a",worker="1"} 3');
  expect(linesOf(text)).toContain('http_server_request_duration_seconds_count{http_route="/a",worker="2"} 4');
  expect(text.match(/^# TYPE http_server_request_duration_seconds /gm)).toHaveLength(1);
});

test('nobody there is an empty page, not a fault', () => {
  expect(linesOf(renderPrometheus([], target))).toEqual([
    'target_info{service_name="valetkey",service_version="1.2.3"} 1',
  ]);
});
