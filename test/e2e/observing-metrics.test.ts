/** Metrics as a Prometheus server gets them: what happened is counted, in a bounded number of series, of nobody. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openScrapes } from '@valetkey/gateway/telemetry/open-scrapes';
import type { ScrapeListener } from '@valetkey/gateway/telemetry/scrape-listener';
import { pino } from 'pino';
import { callMcp, obtainTokens, refresh, registerClient, type Tokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { send } from '../support/raw-http.ts';
import { readSamples, type Samples } from '../support/samples.ts';

let product: Product;
let scrapes: ScrapeListener;
let tokens: Tokens;

beforeAll(async () => {
  const telemetry = { metrics: { prometheus: { listen: '127.0.0.1:0' } } };
  product = await startProduct({ config: { telemetry } });
  const opened = await openScrapes({
    config: product.config.telemetry,
    collect: async () => [{ families: await product.collect() }],
    log: pino({ level: 'silent' }),
  });
  if (opened === undefined) throw new Error('no scrapes');
  scrapes = opened;
  tokens = await obtainTokens(product, product.people.reader);
});
afterAll(async () => {
  await scrapes.close();
  await product.close();
});

const address = () => `http://127.0.0.1:${scrapes.port}/metrics`;
const scrape = async (): Promise<Samples> => readSamples(await (await fetch(address())).text());

test('a call, a denial and a refusal are counted by backend, method, outcome and status', async () => {
  const { accessToken } = tokens;
  await callMcp(product.mcpUrl, accessToken, 'tools/list');
  await callMcp(product.mcpUrl, accessToken, 'tools/call', { name: 'save_snippet', arguments: {} });
  await callMcp(product.mcpUrl, accessToken, 'no/such/method');
  await callMcp(product.mcpUrl, undefined, 'tools/list');
  const calls = { valetkey_backend: 'snippets' };
  await expect
    .poll(async () => (await scrape()).sum('mcp_server_operation_duration_seconds_count', calls))
    .toBe(3);
  const samples = await scrape();
  const count = (labels: Record<string, string>) =>
    samples.sum('mcp_server_operation_duration_seconds_count', { ...calls, ...labels });
  expect(
    count({ mcp_method_name: 'tools/list', valetkey_outcome: 'success', http_response_status_code: '200' }),
  ).toBe(1);
  expect(
    count({
      mcp_method_name: 'tools/call',
      gen_ai_tool_name: 'save_snippet',
      valetkey_outcome: 'denied',
      error_type: 'missing_role',
      http_response_status_code: '403',
    }),
  ).toBe(1);
  expect(count({ mcp_method_name: 'other' })).toBe(1);
  expect(
    samples.sum('http_server_request_duration_seconds_count', {
      http_route: '/snippets/mcp',
      http_response_status_code: '401',
    }),
  ).toBe(1);
  // The denied one did not reach it.
  expect(samples.sum('http_client_request_duration_seconds_count', calls)).toBe(2);
  expect(samples.sum('valetkey_call_added_duration_seconds_count', calls)).toBe(2);
  expect(samples.sum('valetkey_call_added_duration_seconds_sum', calls)).toBeGreaterThan(0);
});

test('a sign-in is a funnel: each step, what came of it, and through what kind of client', async () => {
  const { clientId, accessToken, refreshToken } = tokens;
  await callMcp(product.mcpUrl, accessToken, 'tools/call', { name: 'list_snippets', arguments: {} });
  await refresh(product, clientId, refreshToken);
  await refresh(product, clientId, 'not-a-token');
  await expect(obtainTokens(product, product.people.disabled)).rejects.toThrow();
  const steps = (labels: Record<string, string>) => async () =>
    (await scrape()).sum('valetkey_sign_in_steps_total', { valetkey_client: 'dynamic', ...labels });
  await expect.poll(steps({ valetkey_step: 'first_call' })).toBe(1);
  expect(await steps({ valetkey_step: 'register' })()).toBe(2);
  expect(await steps({ valetkey_step: 'authorize', valetkey_reason: 'sign_in_needed' })()).toBe(2);
  expect(await steps({ valetkey_step: 'consent', valetkey_outcome: 'success' })()).toBe(2);
  expect(await steps({ valetkey_step: 'entra_redirect', valetkey_outcome: 'success' })()).toBe(2);
  expect(await steps({ valetkey_step: 'callback', valetkey_outcome: 'success' })()).toBe(1);
  expect(await steps({ valetkey_step: 'token', valetkey_outcome: 'success' })()).toBe(1);
  const tokensOf = async (labels: Record<string, string>) =>
    (await scrape()).sum('valetkey_token_requests_total', labels);
  expect(await tokensOf({ oauth_grant_type: 'authorization_code', valetkey_outcome: 'success' })).toBe(1);
  expect(await tokensOf({ oauth_grant_type: 'refresh_token', valetkey_outcome: 'success' })).toBe(1);
  expect(await tokensOf({ oauth_grant_type: 'refresh_token', valetkey_reason: 'invalid_grant' })).toBe(1);
});

test('the store, Entra, the audit queue, the feed of revocations and the process itself are there', async () => {
  const samples = await scrape();
  expect(
    samples.sum('db_client_operation_duration_seconds_count', { db_system_name: 'sqlite' }),
  ).toBeGreaterThan(10);
  expect(
    samples.sum('http_client_request_duration_seconds_count', { server_address: 'localhost' }),
  ).toBeGreaterThan(0);
  for (const name of [
    'valetkey_audit_queue_records',
    'valetkey_audit_queue_size_bytes',
    'valetkey_audit_dropped_total',
    'valetkey_revocations_age_seconds',
    'nodejs_eventloop_delay_p99_seconds',
    'nodejs_eventloop_utilization_ratio',
    'process_memory_usage_bytes',
    'process_cpu_time_seconds_total',
    'http_server_active_requests',
    'target_info',
  ])
    expect(samples.names.has(name), name).toBe(true);
  expect(samples.sum('process_memory_usage_bytes', {})).toBeGreaterThan(10_000_000);
  expect(samples.sum('valetkey_revocations_age_seconds', {})).toBeLessThan(30);
});

test('whether each backend is called, and the state of its circuit', async () => {
  const samples = await scrape();
  const backend = { valetkey_backend: 'snippets' };
  expect(samples.sum('valetkey_backend_up', backend)).toBe(1);
  expect(samples.sum('valetkey_backend_circuit', { ...backend, valetkey_circuit: 'closed' })).toBe(1);
  expect(samples.sum('valetkey_backend_circuit', { ...backend, valetkey_circuit: 'open' })).toBe(0);
});

test('CWE-770: names that a client makes up make no series', async () => {
  const { accessToken } = tokens;
  const before = (await scrape()).count;
  for (let round = 0; round < 60; round += 1) {
    await callMcp(product.mcpUrl, accessToken, `made/up/${round}`);
    await callMcp(product.mcpUrl, accessToken, 'tools/call', { name: `tool-${round}`, arguments: {} });
    await fetch(`${product.url}/made-up-${round}`, { method: round % 2 === 0 ? 'GET' : 'POST' });
    await registerClient(product, { client_name: `client ${round}` });
  }
  // Some labels are new (a 404 without a route, say), but not one per name.
  expect((await scrape()).count - before).toBeLessThan(8 * 16);
});

test('A15 D13: no person, no token and no id of a client is in the metrics', async () => {
  const text = await (await fetch(address())).text();
  const { reader } = product.people;
  const users = product.emulator.seed.tenants.flatMap((tenant) => tenant.users);
  for (const word of [
    reader.username,
    tokens.clientId,
    ...users.map(({ objectId }) => objectId),
    ...product.config.entra.tenants,
  ])
    expect(text).not.toContain(word);
});

test('promtool finds nothing wrong with the page', async () => {
  const text = await (await fetch(address())).text();
  const judged = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  expect(judged.stderr + judged.stdout).toBe('');
  expect(judged.status).toBe(0);
});

test('metrics are on a port of their own, which has nothing else', async () => {
  expect((await fetch(`${product.url}/metrics`)).status).toBe(404);
  const answer = await fetch(address());
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toContain('version=0.0.4');
  expect((await fetch(address(), { method: 'POST' })).status).toBe(405);
  expect((await fetch(`http://127.0.0.1:${scrapes.port}/`)).status).toBe(404);
  expect((await fetch(`http://127.0.0.1:${scrapes.port}/authorize`)).status).toBe(404);
});

test('a page of another site cannot lead a browser to the metrics by a name of its own', async () => {
  const answer = await send(address(), {
    method: 'GET',
    path: '/metrics',
    headers: ['Host', 'rebound.example'],
  });
  expect(answer.status).toBe(403);
});
