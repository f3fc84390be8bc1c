/** What looking costs a call; and that whoever does not look pays nothing, not even for loading the means. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createCaller, openFor, prometheus, type Seeing } from './call.suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'valetkey-cost-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const callsPerRound = 20_000;

/** Processor time per call in microseconds, the best of some rounds: the others shared their core with somebody. */
async function costOf(seeing: Seeing): Promise<number> {
  const telemetry = await openFor(seeing);
  const call = createCaller(telemetry);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 8; round += 1) {
    const before = process.cpuUsage();
    for (let count = 0; count < callsPerRound; count += 1) {
      call();
      // As between requests: what is queued gets its turn.
      if (count % 500 === 0) await new Promise(setImmediate);
    }
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / callsPerRound);
  }
  await telemetry.close();
  return best;
}

test('a call costs under 2 µs more with nobody looking, under 5 µs with metrics, and an access log a few more', async () => {
  const bare = await costOf({});
  const metrics = await costOf({ telemetry: prometheus });
  const both = await costOf({ telemetry: prometheus, accessLog: { file: join(folder, 'access.log') } });
  // The objects of the loop itself are in it.
  expect(bare).toBeLessThan(2);
  expect(metrics - bare).toBeLessThan(5);
  expect(both - bare).toBeLessThan(10);
});

const traces = { otlp: { endpoint: 'http://127.0.0.1:1' }, parentBased: false, delayMs: 60_000 };

test('a call that is not traced pays for the decision only', async () => {
  const bare = await costOf({});
  const telemetry = { serviceName: 'valetkey', metrics: {}, traces: { ...traces, sampleRatio: 0 } };
  expect((await costOf({ telemetry })) - bare).toBeLessThan(5);
});

/** Loads the gateway, opens its telemetry, and says what of OpenTelemetry was loaded. */
const loader = (seeing: Seeing) => `
import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  load(url, context, next) {
    const name = /node_modules\\/(@opentelemetry\\/[^/]+)/.exec(url)?.[1];
    if (name !== undefined) loaded.add(name);
    return next(url, context);
  },
});
await import('${new URL('../gateway.ts', import.meta.url).href}');
const { openFor } = await import('${new URL('./call.suite.ts', import.meta.url).href}');
await openFor(${JSON.stringify(seeing)});
console.log(JSON.stringify([...loaded].toSorted()));
process.exit(0);
`;

function loadedFor(seeing: Seeing): string[] {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--conditions=valetkey-source', '--input-type=module', '--eval', loader(seeing)],
    { encoding: 'utf8' },
  );
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

test('nothing of OpenTelemetry is loaded where nobody asked for it', () => {
  expect(loadedFor({})).toEqual([]);
  expect(loadedFor({ accessLog: { file: join(folder, 'unused.log') } })).toEqual([]);
});

test('metrics load no tracing, and traces load no metrics reader for Prometheus', () => {
  const forMetrics = loadedFor({ telemetry: prometheus });
  expect(forMetrics).toContain('@opentelemetry/sdk-metrics');
  expect(forMetrics).not.toContain('@opentelemetry/sdk-trace');
  expect(forMetrics).not.toContain('@opentelemetry/otlp-transformer');
  const forTraces = loadedFor({
    telemetry: { serviceName: 'valetkey', metrics: {}, traces: { ...traces, sampleRatio: 1 } },
  });
  expect(forTraces).toContain('@opentelemetry/sdk-trace');
  expect(forTraces).not.toContain('@opentelemetry/exporter-prometheus');
});
