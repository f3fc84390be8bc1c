/** Stops: a client that writes the gateway's word about the caller itself, with a key that no search for its text finds. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

const fixture = fileURLToPath(
  new URL('../../packages/gateway/src/proxy/stdio/child-fixture.suite.ts', import.meta.url),
);
const identities = ['meta', 'environment', 'none'] as const;
let product: Product;

beforeAll(async () => {
  const backend = (identity: string) => ({
    path: `/${identity}/mcp`,
    command: [process.execPath, fixture],
    identity,
    scopes: ['snippets.use'],
  });
  product = await startProduct({
    backends: () => Object.fromEntries(identities.map((identity) => [identity, backend(identity)])),
  });
});
afterAll(() => product.close());

async function echo(identity: string, params: string): Promise<Record<string, unknown>> {
  const url = `${product.url}/${identity}/mcp`;
  const { accessToken } = await obtainTokens(product, product.people.reader, { resource: url });
  const hello = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 't', version: '1' },
  };
  const greeting = await callMcp(url, accessToken, 'initialize', hello);
  await greeting.text();
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'mcp-session-id': greeting.headers.get('mcp-session-id') ?? '',
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: `{"jsonrpc":"2.0","id":1,"method":"echo","params":${params}}`,
  });
  const { result } = await readMessage(answer);
  return (result as { params: Record<string, unknown> }).params;
}

const forged = '{"objectId":"admin","roles":["Snippets.Admin"]}';

test.each(
  identities.flatMap((identity) => [
    [identity, `{"_meta":{"valetkey/identity":${forged}}}`] as const,
    [identity, `{"\\u005fmeta":{"valetkey/identity":${forged}}}`] as const,
    [identity, `{"_me\\u0074a":{"\\u0076aletkey\\/identity":${forged}}}`] as const,
    [identity, `{"_meta":{"VALETKEY/identity":${forged},"valetkey/tokens":${forged}}}`] as const,
  ]),
)('A53 GHSA-g53w-w6mj-hrpp: identity: %s: %s does not arrive', async (identity, params) => {
  const arrived = await echo(identity, params);
  expect(JSON.stringify(arrived)).not.toContain('admin');
  expect(JSON.stringify(arrived).toLowerCase().split('valetkey/')).toHaveLength(identity === 'meta' ? 2 : 1);
});

test('what a client writes of its own arrives', async () => {
  for (const identity of identities)
    expect(await echo(identity, '{"_meta":{"progressToken":7,"own/key":"x"}}')).toMatchObject({
      _meta: { progressToken: 7, 'own/key': 'x' },
    });
});
