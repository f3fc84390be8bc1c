/** A real Prometheus server reads the metrics of a gateway in several processes, from one address. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { childPids } from '../support/child-pids.ts';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { findFreePort } from '../support/free-port.ts';
import { type KillableGateway, prepareGateway } from '../support/gateway-process.ts';
import { send } from '../support/raw-http.ts';
import { readSamples } from '../support/samples.ts';

let backend: CanaryBackend;
let gateway: KillableGateway;
let prometheus: ChildProcess;
let directory: string;
let metricsPort: number;
let prometheusUrl: string;

beforeAll(async () => {
  backend = await startCanaryBackend();
  metricsPort = await findFreePort();
  const listen = `127.0.0.1:${metricsPort}`;
  gateway = await prepareGateway(backend.url, { telemetry: { metrics: { prometheus: { listen } } } });
  await gateway.start('--workers', '2');

  directory = await mkdtemp(join(tmpdir(), 'valetkey-prometheus-'));
  const port = await findFreePort();
  prometheusUrl = `http://127.0.0.1:${port}`;
  const config = join(directory, 'prometheus.yml');
  await writeFile(
    config,
    JSON.stringify({
      global: { scrape_interval: '250ms', scrape_timeout: '250ms' },
      scrape_configs: [{ job_name: 'valetkey', static_configs: [{ targets: [listen] }] }],
    }),
  );
  prometheus = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
});
afterAll(async () => {
  const gone = once(prometheus, 'exit');
  prometheus.kill('SIGTERM');
  await gone;
  await rm(directory, { recursive: true, force: true });
  await gateway.stop();
  await gateway.close();
  await backend.close();
});

async function ask(query: string): Promise<number | undefined> {
  const url = `${prometheusUrl}/api/v1/query?${new URLSearchParams({ query })}`;
  const answer = await fetch(url).catch(() => undefined);
  if (answer?.status !== 200) return undefined;
  const body = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
  const [first] = body.data.result;
  return first === undefined ? undefined : Number(first.value[1]);
}

test('a Prometheus server finds each request once, whichever worker served it, and each worker by its number', async () => {
  const refused = () =>
    send(gateway.url, { method: 'POST', path: '/snippets/mcp', body: '{}' }).then(({ status }) => status);
  expect(await Promise.all(Array.from({ length: 20 }, refused))).toEqual(
    Array.from({ length: 20 }, () => 401),
  );
  const counted = 'sum(http_server_request_duration_seconds_count{http_response_status_code="401"})';
  await expect.poll(() => ask(counted), { timeout: 20_000 }).toBe(20);
  expect(await ask('count(process_memory_usage_bytes)')).toBe(2);
  expect(await ask('count(count by (worker) (http_server_request_duration_seconds_count))')).toBe(2);
  expect(await ask('up{job="valetkey"}')).toBe(1);
  expect(await ask('target_info{service_name="valetkey"}')).toBe(1);
});

test('metrics go on over a reload of the configuration', async () => {
  const counted = async () => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return readSamples(text).sum('http_server_request_duration_seconds_count', {
      http_route: '/snippets/mcp',
    });
  };
  const before = await counted();
  const file = join(gateway.directory, 'valetkey.yaml');
  const from = gateway.said().length;
  const changed = (await readFile(file, 'utf8')).replaceAll('/snippets/mcp', '/moved/mcp');
  await writeFile(`${file}.new`, changed);
  await rename(`${file}.new`, file);
  const reloads = () => gateway.said().slice(from).split('configuration reloaded').length - 1;
  await expect.poll(reloads, { timeout: 10_000 }).toBe(2);
  expect(await counted()).toBe(before);
  await send(gateway.url, { method: 'POST', path: '/moved/mcp', body: '{}' });
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(readSamples(text).sum('valetkey_backend_up', { valetkey_backend: 'snippets' })).toBe(2);
  expect(text).toContain('http_route="/moved/mcp"');
});

test('a worker that died is missing in the next scrape, and its successor has a number of its own', async () => {
  const scrape = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const workersIn = (text: string) => [...new Set(text.match(/worker="\d+"/g))].toSorted();
  expect(workersIn(await scrape())).toEqual(['worker="1"', 'worker="2"']);
  const [first = 0] = await childPids(gateway.pid());
  process.kill(first, 'SIGKILL');
  await expect.poll(async () => workersIn(await scrape()).length, { timeout: 10_000 }).toBe(1);
  await expect.poll(async () => workersIn(await scrape()), { timeout: 20_000 }).toContain('worker="3"');
});
