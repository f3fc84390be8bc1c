/** Stops: a client that ends the sessions of others through the revocation endpoint (workers-oauth-provider #188). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens, postForm, refresh, registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
beforeAll(async () => {
  product = await startProduct();
});
afterAll(() => product.close());

const revoke = (fields: Record<string, string>) => postForm(`${product.url}/revoke`, fields);
const works = async (token: string) => (await callMcp(product.mcpUrl, token, 'tools/list')).status;

test.each(['accessToken', 'refreshToken'] as const)(
  'A56: the %s of another client is not revoked',
  async (which) => {
    const victim = await obtainTokens(product, product.people.reader);
    const thief = await registerClient(product);
    for (const hint of ['access_token', 'refresh_token', 'nonsense', '']) {
      const { status, body } = await revoke({
        client_id: thief,
        token: victim[which],
        ...(hint === '' ? {} : { token_type_hint: hint }),
      });
      expect(status).toBeLessThan(500);
      expect(JSON.stringify(body)).not.toContain(victim[which]);
    }
    expect(await works(victim.accessToken)).toBe(200);
    expect((await refresh(product, victim.clientId, victim.refreshToken)).status).toBe(200);
  },
);

test('A56: nor does another session of the same client end with one', async () => {
  const one = await obtainTokens(product, product.people.reader);
  const other = await obtainTokens(product, product.people.writer, { clientId: one.clientId });
  expect((await revoke({ client_id: one.clientId, token: one.accessToken })).status).toBe(200);
  expect(await works(one.accessToken)).toBe(401);
  expect((await refresh(product, one.clientId, one.refreshToken)).status).toBe(400);
  expect(await works(other.accessToken)).toBe(200);
});

test('A56: the owner ends it by either token, twice without a fault', async () => {
  for (const which of ['accessToken', 'refreshToken'] as const) {
    const own = await obtainTokens(product, product.people.reader);
    for (let times = 0; times < 2; times += 1) {
      expect((await revoke({ client_id: own.clientId, token: own[which] })).status).toBe(200);
    }
    expect(await works(own.accessToken)).toBe(401);
    expect((await refresh(product, own.clientId, own.refreshToken)).status).toBe(400);
  }
});

test.each([
  ['an unknown client', { client_id: 'unknown', token: 'x' }, 401],
  ['no client', { token: 'x' }, 400],
  ['no token', {}, 400],
  ['a token of nobody', { token: 'x' }, 200],
  ['a token of rubbish', { token: 'a.b.c.d.e' }, 200],
  ['a long token', { token: 'x'.repeat(20_000) }, 200],
])(
  'D25 D47: revoking with %s is answered by the book',
  async (_what, fields: Record<string, string>, status) => {
    const needsClient = status !== 401 && !('client_id' in fields) && _what !== 'no client';
    const clientId: Record<string, string> = needsClient ? { client_id: await registerClient(product) } : {};
    expect((await revoke({ ...clientId, ...fields })).status).toBe(status);
  },
);

test('A56: a confidential client must prove itself, even to revoke its own', async () => {
  const response = await fetch(`${product.url}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: ['http://127.0.0.1:33418/callback'],
      token_endpoint_auth_method: 'client_secret_post',
    }),
  });
  const { client_id: clientId } = (await response.json()) as { client_id: string };
  for (const secret of [undefined, '', 'wrong']) {
    const { status } = await revoke({
      client_id: clientId,
      token: 'x',
      ...(secret === undefined ? {} : { client_secret: secret }),
    });
    expect([400, 401]).toContain(status);
  }
});
