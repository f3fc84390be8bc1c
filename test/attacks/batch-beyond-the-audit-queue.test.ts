/** Stops: one request that holds more calls than the audit has room for, where nothing may be done unrecorded. */
import { mkdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { obtainTokens, postJson } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
let canary: CanaryBackend;

beforeAll(async () => {
  canary = await startCanaryBackend();
  product = await startProduct({
    backends: () => ({
      snippets: { path: '/snippets/mcp', upstream: canary.url, scopes: ['snippets.use'] },
    }),
    config: {
      audit: { stdout: false, file: './audit.jsonl', onOverflow: 'refuse', maxQueuedRecords: 10 },
    },
  });
});
afterAll(async () => {
  await product.close();
  await canary.close();
});

test('A25: each call of a batch has its record, though the disk was away and the queue was short', async () => {
  const { accessToken } = await obtainTokens(product, product.people.reader);
  const file = join(product.directory, 'audit.jsonl');
  const targets = async () =>
    (await product.readAudit()).filter(({ event }) => event === 'mcp.call').map(({ target }) => target);
  await expect.poll(async () => (await product.readAudit()).map(({ event }) => event)).toContain('token');
  await rename(file, `${file}.1`);
  // As when a volume is not mounted.
  await mkdir(file);

  const names = Array.from({ length: 50 }, (_each, at) => `tool-${at}`);
  const batch = names.map((name, id) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } }));
  const authorization = `Bearer ${accessToken}`;
  expect((await postJson(product.mcpUrl, batch, { authorization })).status).toBe(200);
  expect(canary.arrivals).toHaveLength(1);
  expect((await postJson(product.mcpUrl, batch, { authorization })).status).toBe(503);
  expect(canary.arrivals).toHaveLength(1);

  await rmdir(file);
  await expect.poll(targets, { timeout: 10_000 }).toEqual(names);
});
