/** Stops: one person whose own process crashes again and again, and by that closes the backend to everybody else. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

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
        scopes: ['snippets.use'],
      },
    }),
  });
});
afterAll(() => product.close());

async function begin(person: Product['people']['reader']) {
  const { accessToken } = await obtainTokens(product, person);
  const hello = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 't', version: '1' },
  };
  const initialize = async () => {
    const greeting = await callMcp(product.mcpUrl, accessToken, 'initialize', hello);
    await greeting.text();
    return { status: greeting.status, id: greeting.headers.get('mcp-session-id') ?? '' };
  };
  const ask = async (session: string, method: string) => {
    const answer = await callMcp(product.mcpUrl, accessToken, method, {}, { 'mcp-session-id': session });
    await answer.text();
    return answer.status;
  };
  return { initialize, ask };
}

test('A22 D15: the others’ processes are there, and new ones begin', async () => {
  const [anna, ben] = [await begin(product.people.reader), await begin(product.people.writer)];
  const own = await ben.initialize();
  expect(await ben.ask(own.id, 'ping')).toBe(200);
  for (let crash = 0; crash < 10; crash += 1) {
    const { id } = await anna.initialize();
    if (id !== '') await anna.ask(id, 'crash');
  }
  expect(await ben.ask(own.id, 'ping')).toBe(200);
  expect((await ben.initialize()).status).toBe(200);
});
