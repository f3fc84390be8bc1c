/** What happens while the audit cannot be written: by setting, records are dropped and counted, or nothing is done. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterEach, expect, test } from 'vitest';
import { runCommand } from '../support/command.ts';
import { startExpressServer } from '../support/express-server.ts';
import { createHttpBrowser } from '../support/http-person.ts';
import {
  authorizeRequest,
  callMcp,
  obtainTokens,
  postForm,
  registerClient,
} from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** `/dev/full` answers every write as a full disk does. */
async function startWith(audit: Record<string, unknown>): Promise<Product> {
  const product = await startProduct({ config: { audit: { stdout: false, ...audit } } });
  closers.push(() => product.close());
  return product;
}

const warned = (product: Product, words: string) => product.logLines.some((line) => line.includes(words));

async function fillQueue(product: Product, count: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let index = 0; index < count; index += 1)
    statuses.push((await callMcp(product.mcpUrl, undefined, 'tools/list')).status);
  return statuses;
}

test('A25: a full disk stops nobody by default: what is lost is counted, told in the log and in the metrics', async () => {
  const product = await startProduct({
    config: {
      audit: { stdout: false, file: '/dev/full', maxQueuedRecords: 10 },
      telemetry: { metrics: { prometheus: true } },
    },
  });
  closers.push(() => product.close());
  expect(new Set(await fillQueue(product, 30))).toEqual(new Set([401]));
  expect((await fetch(`${product.url}/readyz`)).status).toBe(200);
  expect(warned(product, 'records wait: they cannot be written')).toBe(true);
  expect(warned(product, 'the queue is full: records are dropped')).toBe(true);
  const dropped = (await product.collect()).find(({ name }) => name === 'valetkey.audit.dropped');
  expect(dropped?.series).toEqual([{ labels: { sink: 'audit file' }, value: 20 }]);
  // Somebody can still sign in, and call.
  const { accessToken } = await obtainTokens(product, product.people.reader);
  expect((await callMcp(product.mcpUrl, accessToken, 'tools/list')).status).toBe(200);
});

test('A25: onOverflow: refuse does nothing unrecorded: calls, sign-ins, registrations and tokens are 503', async () => {
  const product = await startWith({ file: '/dev/full', onOverflow: 'refuse', maxQueuedRecords: 10 });
  const clientId = await registerClient(product);
  expect(new Set((await fillQueue(product, 30)).slice(0, 9))).toEqual(new Set([401]));
  const refused = await callMcp(product.mcpUrl, undefined, 'tools/list');
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('10');
  expect(refused.headers.get('www-authenticate')).toBeNull();
  expect(await refused.json()).toMatchObject({ error: 'temporarily_unavailable' });
  const page = await createHttpBrowser().request(authorizeRequest(product, clientId).url);
  expect(page.status).toBe(503);
  expect(page.text).toContain('does nothing unrecorded');
  for (const path of ['/consent/x', '/auth/callback?state=x&code=y', '/authorize/x'])
    expect((await fetch(`${product.url}${path}`)).status, path).toBe(503);
  expect((await postForm(`${product.url}/token`, { grant_type: 'authorization_code' })).status).toBe(503);
  expect((await postForm(`${product.url}/revoke`, { token: 'x' })).status).toBe(503);
  expect((await fetch(`${product.url}/register`, { method: 'POST', body: '{}' })).status).toBe(503);
  // What is not recorded is served, so that backends can verify, and the balancer is told to go elsewhere.
  expect((await fetch(`${product.url}/jwks`)).status).toBe(200);
  expect((await fetch(`${product.url}/healthz`)).status).toBe(200);
  const readiness = await fetch(`${product.url}/readyz`);
  expect([readiness.status, await readiness.json()]).toEqual([503, { status: 'audit queue full' }]);
  expect(warned(product, 'records are dropped')).toBe(false);
});

test('A25: a server of one’s own does nothing unrecorded either', async () => {
  const server = await startExpressServer({
    options: { audit: { stdout: false, file: '/dev/full', onOverflow: 'refuse', maxQueuedRecords: 10 } },
    build: (vk) => {
      const app = express().use(vk.router);
      return app.get('/mine', vk.requireBearerAuth(), (_req, res) => void res.end('mine'));
    },
  });
  closers.push(() => server.close());
  const status = async () => (await fetch(`${server.url}/mine`)).status;
  const statuses: number[] = [];
  for (let index = 0; index < 15; index += 1) statuses.push(await status());
  expect(statuses).toEqual([...Array<number>(10).fill(401), ...Array<number>(5).fill(503)]);
  expect((await fetch(`${server.url}/register`, { method: 'POST', body: '{}' })).status).toBe(503);
  expect((await fetch(`${server.url}/.well-known/oauth-authorization-server`)).status).toBe(200);
});

test('A25: an operator too does nothing that cannot be recorded', async () => {
  const product = await startWith({ file: '/dev/full', onOverflow: 'refuse', maxQueuedRecords: 50 });
  const { accessToken } = await obtainTokens(product, product.people.reader);
  const revoke = await runCommand(
    'npm',
    ['run', '--silent', 'valetkey', '--', 'sessions', 'revoke', '--all', '--config', product.configFile],
    { env: product.env },
  );
  expect(revoke.code).toBe(1);
  expect(revoke.stderr).toContain('nothing was done: the audit cannot be written');
  expect((await callMcp(product.mcpUrl, accessToken, 'tools/list')).status).toBe(200);
});

test('A25: when there is room again nothing is missing, and the gateway goes on by itself', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'valetkey-audit-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'audit.jsonl');
  // A folder stands where the file should be: a volume that is not mounted as it should be.
  execFileSync('mkdir', [file]);
  const product = await startWith({ file, onOverflow: 'refuse', maxQueuedRecords: 10 });
  const statuses = await fillQueue(product, 15);
  expect(statuses.filter((status) => status === 401)).toHaveLength(10);
  execFileSync('rmdir', [file]);
  const status = async () => (await callMcp(product.mcpUrl, undefined, 'tools/list')).status;
  await expect.poll(status, { timeout: 5_000 }).toBe(401);
  const lines = async () => (await readFile(file, 'utf8')).split('\n').filter(Boolean);
  await expect.poll(async () => (await lines()).length).toBeGreaterThanOrEqual(11);
  expect((await lines()).map((line) => (JSON.parse(line) as { event: string }).event)).not.toContain(
    'audit.dropped',
  );
});

test('A25: a file that is rotated away is made again, and no record is lost between', async () => {
  const product = await startProduct();
  closers.push(() => product.close());
  const file = join(product.directory, 'audit.jsonl');
  const countIn = async (path: string) =>
    (await readFile(path, 'utf8').catch(() => '')).split('\n').filter(Boolean).length;
  await fillQueue(product, 5);
  await expect.poll(() => countIn(file)).toBe(5);
  await rename(file, `${file}.1`);
  await fillQueue(product, 5);
  await expect.poll(async () => (await countIn(`${file}.1`)) + (await countIn(file))).toBe(10);
  expect(await countIn(file)).toBeGreaterThan(0);
});

/** Writes records to standard output until told to stop, and says on stderr that its event loop is alive. */
const writer = `
import { createStreamSink } from '${new URL('../../packages/gateway/src/audit/sinks.ts', import.meta.url).href}';
const log = { error: (facts, text) => process.stderr.write(JSON.stringify({ ...facts, text }) + '\\n') };
const sink = createStreamSink(process.stdout, { clock: { nowMs: () => 0 }, log, maxQueued: 1000, closeTimeoutMs: 100 });
let longest = 0;
let before = performance.now();
for (let round = 0; round < 200; round += 1) {
  for (let index = 0; index < 50; index += 1) sink.write({ event: 'mcp.call', target: 'x'.repeat(200) });
  await new Promise(setImmediate);
  const now = performance.now();
  longest = Math.max(longest, now - before);
  before = now;
}
process.stderr.write(JSON.stringify({ longest, ...sink.state() }) + '\\n');
await sink.close();
process.exit(0);
`;

test('A25: a reader of standard output that does not read blocks nothing: the rest is dropped and counted', async () => {
  const child = spawn(
    process.execPath,
    ['--conditions=valetkey-source', '--input-type=module', '--eval', writer],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  // Nobody reads its output until it has ended.
  const code = await new Promise((resolve) => child.once('exit', resolve));
  expect(code, said).toBe(0);
  const lines = said
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const state = lines.find((line) => 'longest' in line);
  expect(state).toMatchObject({ queued: 1000, isFull: true });
  expect(Number(state?.['dropped'])).toBeGreaterThan(5000);
  expect(Number(state?.['longest'])).toBeLessThan(1000);
  expect(lines.some(({ text }) => text === 'records were lost at the end')).toBe(true);
});
