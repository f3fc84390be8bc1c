/** Stops: a configuration that is read while it is being written, so that a tool stands open whose rule is not there yet. */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { type KillableGateway, prepareGateway } from '../support/gateway-process.ts';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { peopleOf } from '../support/product.ts';

let canary: CanaryBackend;
let gateway: KillableGateway;

beforeAll(async () => {
  canary = await startCanaryBackend();
  gateway = await prepareGateway(canary.url);
});
afterAll(async () => {
  await gateway.close();
  await canary.close();
});

/** Longer than the time between two looks at the file. */
const writingMs = 2500;

test('A24: while the file grows the rules of before hold, and the new ones once it is whole', async () => {
  const file = join(gateway.directory, 'valetkey.yaml');
  const { backends: _backends, ...config } = parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  const open = {
    snippets: { path: '/snippets/mcp', upstream: canary.url, scopes: ['snippets.use'], title: 'Before' },
  };
  // The rules of the tools come last, as people write them.
  const rules = '    tools:\n      wipe: { anyRole: [Snippets.Admin] }\n';
  const first = stringify({ ...config, backends: open });
  await writeFile(file, first + rules);
  await gateway.start();
  const { accessToken } = await obtainTokens(gateway, peopleOf(gateway.emulator).reader);
  const statusOf = async () => {
    const answer = await callMcp(gateway.mcpUrl, accessToken, 'tools/call', { name: 'wipe' });
    await answer.arrayBuffer();
    return answer.status;
  };
  expect(await statusOf()).toBe(403);

  const startedMs = performance.now();
  await writeFile(file, first.replace('Before', 'After'));
  while (performance.now() - startedMs < writingMs) {
    await appendFile(file, '    # what the rest is for\n');
    expect(await statusOf()).toBe(403);
  }
  await appendFile(file, rules);
  await expect.poll(gateway.said, { timeout: 10_000 }).toContain('configuration reloaded');
  expect(await statusOf()).toBe(403);
  expect(gateway.said().split('configuration reloaded')).toHaveLength(2);
  expect(canary.arrivals).toEqual([]);
});
