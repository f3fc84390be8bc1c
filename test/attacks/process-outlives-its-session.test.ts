/** Stops: what a person has had started at a backend (a process, a session of an older server), once their session has been ended. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens, postForm, readMessage, type Tokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { openSseClient } from '../support/sse-client.ts';

const fixture = fileURLToPath(
  new URL('../../packages/gateway/src/proxy/stdio/child-fixture.suite.ts', import.meta.url),
);

let product: Product;

beforeAll(async () => {
  product = await startProduct({
    backends: () => ({
      snippets: {
        path: '/snippets/mcp',
        command: [process.execPath, fixture],
        idleSeconds: 3600,
        scopes: ['snippets.use'],
        legacySse: { sse: '/snippets/mcp/sse', message: '/snippets/mcp/message' },
      },
    }),
  });
});
afterAll(() => product.close());

const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
const pidOf = (message: Record<string, unknown>) => (message['result'] as { pid: number }).pid;

/** A process of one's own. */
async function begin({ accessToken }: Tokens) {
  const greeting = await callMcp(product.mcpUrl, accessToken, 'initialize', params);
  await greeting.text();
  const session = { 'mcp-session-id': greeting.headers.get('mcp-session-id') ?? '' };
  return pidOf(await readMessage(await callMcp(product.mcpUrl, accessToken, 'count', {}, session)));
}

async function beginOlder({ accessToken }: Tokens) {
  const client = await openSseClient(`${product.mcpUrl}/sse`, accessToken);
  await client.request('initialize', params);
  return pidOf(await client.request('count'));
}

const revoke = ({ clientId, refreshToken }: Tokens) =>
  postForm(`${product.url}/revoke`, { token: refreshToken, client_id: clientId });

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('A56 A22: it ends within moments, and nobody else’s does, be it the same person’s other client', async () => {
  const reader = () => obtainTokens(product, product.people.reader);
  const [leaving, staying] = [await reader(), await reader()];
  const other = await obtainTokens(product, product.people.writer);
  const gone = [await begin(leaving), await beginOlder(leaving)];
  const kept = [await begin(staying), await beginOlder(staying), await begin(other)];
  expect([...gone, ...kept].every(isRunning)).toBe(true);
  await revoke(leaving);
  await expect.poll(() => gone.some(isRunning), { timeout: 5000 }).toBe(false);
  expect(kept.every(isRunning)).toBe(true);
});
