/** Stops: a header that is judged or replaced under its own name, and arrives under one that a backend takes for the same. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { send } from '../support/raw-http.ts';

const secret = 'a-function-key-for-tests-only';
let product: Product;
let canary: CanaryBackend;
let anna: string;
let ben: string;

beforeAll(async () => {
  canary = await startCanaryBackend();
  product = await startProduct({
    backends: () => ({
      snippets: {
        path: '/snippets/mcp',
        upstream: canary.url,
        scopes: ['snippets.use'],
        enter: { anyRole: ['Snippets.Reader', 'Snippets.Writer'] },
        credential: { header: 'X_Api_Key', value: 'env:FUNCTION_KEY' },
      },
    }),
  });
  anna = (await obtainTokens(product, product.people.reader)).accessToken;
  ben = (await obtainTokens(product, product.people.writer)).accessToken;
});
afterAll(async () => {
  await product.close();
  await canary.close();
});
beforeEach(() => {
  canary.arrivals.length = 0;
});

const post = (token: string, headers: readonly string[], method = 'ping') =>
  send(product.url, {
    method: 'POST',
    path: '/snippets/mcp',
    headers: ['Authorization', `Bearer ${token}`, 'Content-Type', 'application/json', ...headers],
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: {} }),
  });

/** As CGI, WSGI and some others name a header. */
const variableOf = (name: string) => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');

function valuesSeenAs(variable: string): string[] {
  const raw = canary.arrivals.at(-1)?.rawHeaders ?? [];
  return raw.filter((_value, at) => at % 2 === 1 && variableOf(raw[at - 1] ?? '') === variable);
}

test.each(['X_Api_Key', 'x_api_key', 'X-Api-Key', 'X_API-KEY', 'x.api.key', 'X!Api!Key'])(
  'A52: a client that sends %s does not speak in place of the credential',
  async (name) => {
    expect((await post(anna, [name, 'of-the-client'])).status).toBe(200);
    expect(valuesSeenAs('X_API_KEY')).toEqual([secret]);
  },
);

test.each(['x.valetkey.object.id', 'X_Valetkey.Object_Id', 'X-Valetkey_Object~Id'])(
  'A53 GHSA-g53w-w6mj-hrpp: nor does %s say who is calling',
  async (name) => {
    expect((await post(anna, [name, 'admin'])).status).toBe(200);
    expect(valuesSeenAs('X_VALETKEY_OBJECT_ID')).not.toContain('admin');
  },
);

test.each(['Mcp_Session_Id', 'mcp.session.id', 'MCP_SESSION-ID'])(
  'D61 A53: somebody else’s session is not entered as %s',
  async (name) => {
    const session = String((await post(anna, [], 'initialize')).headers['mcp-session-id']);
    expect(session).toMatch(/^session-/);
    expect((await post(ben, ['Mcp-Session-Id', session])).status).toBe(404);
    expect((await post(ben, [name, session])).status).toBe(200);
    expect(valuesSeenAs('MCP_SESSION_ID')).toEqual([]);
  },
);

test('what nobody judges passes as it is written', async () => {
  expect((await post(anna, ['X_My.Own', '1', 'Mcp-Param-a.b_c', '2'])).status).toBe(200);
  expect(valuesSeenAs('X_MY_OWN')).toEqual(['1']);
  expect(valuesSeenAs('MCP_PARAM_A_B_C')).toEqual(['2']);
});
