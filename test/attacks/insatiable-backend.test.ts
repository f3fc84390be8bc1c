/** Stops: a backend that is content with no token, and has the gateway ask Entra for another one at every call. */
import { SNIPPETS_API_URI } from '@valetkey/entra-emulator';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { callMcp, obtainTokens, type Tokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
let canary: CanaryBackend;
let tokens: Tokens;
/** What it demands next. */
const demand = { next: () => '' };

beforeAll(async () => {
  canary = await startCanaryBackend(() => {
    const claims = Buffer.from(demand.next()).toString('base64');
    const challenge = `Bearer error="insufficient_claims", claims="${claims}"`;
    return { status: 401, headers: { 'www-authenticate': challenge } };
  });
  product = await startProduct({
    backends: () => ({
      api: {
        path: '/snippets/mcp',
        upstream: canary.url,
        scopes: ['snippets.use'],
        credential: { entra: { scopes: [`${SNIPPETS_API_URI}/snippets.use`] } },
        circuit: { failures: 0 },
      },
    }),
  });
});
afterAll(async () => {
  await product.close();
  await canary.close();
});
beforeEach(async () => {
  tokens = await obtainTokens(product, product.people.reader);
});

const nbf = (value: number) => ({ access_token: { nbf: { essential: true, value: String(value) } } });
const tokenRequests = () =>
  product.emulator.control.requestLog().filter(({ path }) => path.endsWith('/token')).length;

async function call(times: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let at = 0; at < times; at += 1)
    statuses.push((await callMcp(product.mcpUrl, tokens.accessToken, 'tools/list')).status);
  return statuses;
}

test('CWE-770 D1: the same demand at every call is asked of Entra once', async () => {
  demand.next = () => JSON.stringify(nbf(1));
  const before = tokenRequests();
  expect(new Set(await call(20))).toEqual(new Set([502]));
  expect(tokenRequests() - before).toBeLessThanOrEqual(2);
});

test('CWE-770 D1: ever new demands are asked a few times', async () => {
  const state = { count: 0 };
  demand.next = () => JSON.stringify(nbf((state.count += 1)));
  const before = tokenRequests();
  expect(new Set(await call(20))).toEqual(new Set([502]));
  expect(tokenRequests() - before).toBeLessThanOrEqual(6);
});

test('D10: claims that are not about its own token reach Entra neither now nor at the next sign-in', async () => {
  const foreign = { id_token: { sub: { essential: true, value: 'planted' } }, userinfo: { planted: null } };
  demand.next = () => JSON.stringify({ ...nbf(2), ...foreign });
  expect(await call(2)).toEqual([502, 502]);
  demand.next = () => JSON.stringify(foreign);
  expect(await call(2)).toEqual([502, 502]);
  expect(JSON.stringify(product.emulator.control.requestLog())).not.toContain('planted');
});
