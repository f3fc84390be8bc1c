/** Stops: a refresh token that was copied, by the client's machine or on its way, and is used beside the client. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  callMcp,
  obtainTokens,
  postForm,
  refresh,
  registerClient,
  type Tokens,
} from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
beforeAll(async () => {
  product = await startProduct({ config: { lifetimes: { refreshReplaySeconds: 1 } } });
});
afterAll(() => product.close());

const login = (): Promise<Tokens> => obtainTokens(product, product.people.reader);
/** Past the window in which the same refresh, sent again, is answered again: no clock that is set closes it. */
const reuseAfterWindow = (clientId: string, refreshToken: string) =>
  expect
    .poll(() => refresh(product, clientId, refreshToken), { timeout: 10_000 })
    .toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
const works = async (token: unknown) => (await callMcp(product.mcpUrl, String(token), 'tools/list')).status;

test('A18 D21 D47: each refresh gives a new pair, and the session goes on', async () => {
  const { clientId, refreshToken } = await login();
  const first = await refresh(product, clientId, refreshToken);
  const second = await refresh(product, clientId, String(first.body['refresh_token']));
  expect([first.status, second.status]).toEqual([200, 200]);
  const tokens = [refreshToken, first.body['refresh_token'], second.body['refresh_token']];
  expect(new Set(tokens).size).toBe(3);
  expect(first.headers.get('cache-control')).toBe('no-store');
  expect(await works(second.body['access_token'])).toBe(200);
});

test('A18: a used refresh token ends the whole family: the thief, the client, and every access token', async () => {
  const stolen = await login();
  const client = await refresh(product, stolen.clientId, stolen.refreshToken);
  await reuseAfterWindow(stolen.clientId, stolen.refreshToken);
  expect((await refresh(product, stolen.clientId, String(client.body['refresh_token']))).status).toBe(400);
  expect(await works(stolen.accessToken)).toBe(401);
  expect(await works(client.body['access_token'])).toBe(401);
});

test("A18: reuse of an ancestor ends the family too, and leaves the person's other session alone", async () => {
  const one = await login();
  const other = await obtainTokens(product, product.people.reader, { clientId: one.clientId });
  let latest = one.refreshToken;
  for (let times = 0; times < 4; times += 1) {
    latest = String((await refresh(product, one.clientId, latest)).body['refresh_token']);
  }
  expect((await refresh(product, one.clientId, one.refreshToken)).status).toBe(400);
  expect((await refresh(product, one.clientId, latest)).status).toBe(400);
  expect(await works(other.accessToken)).toBe(200);
  expect((await refresh(product, other.clientId, other.refreshToken)).status).toBe(200);
});

test('A18 A55: the same refresh sent many times at once is one refresh; its reuse afterwards ends the family', async () => {
  const { clientId, refreshToken } = await login();
  // Entra takes its time, so that all of them are under way together.
  product.emulator.control.setFault({ endpoint: 'token' }, { kind: 'latency', latencyMs: 300 }, 1);
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => refresh(product, clientId, refreshToken)),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(answers.map(({ body }) => body['refresh_token'])).size).toBe(1);
  expect(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size).toBe(10);
  const accessToken = answers[0]?.body['access_token'];
  expect(await works(accessToken)).toBe(200);

  await reuseAfterWindow(clientId, refreshToken);
  expect(await works(accessToken)).toBe(401);
});

test('A18: of parallel refreshes that differ one wins at most', async () => {
  const { clientId, refreshToken } = await login();
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      postForm(`${product.url}/token`, {
        grant_type: 'refresh_token',
        client_id: clientId,
        refresh_token: refreshToken,
        resource: product.mcpUrl,
        thief: String(index),
      }),
    ),
  );
  const winners = answers.filter(({ status }) => status === 200);
  expect(winners.length).toBeLessThanOrEqual(1);
  for (const { status } of answers) expect([200, 400]).toContain(status);
  for (const { body } of winners) expect(await works(body['access_token'])).toBe(401);
});

test('A47: a refresh token fits no other client, and the attempt costs its owner nothing', async () => {
  const victim = await login();
  const thief = await registerClient(product);
  const stolen = await refresh(product, thief, victim.refreshToken);
  expect(stolen.status).toBe(400);
  expect(stolen.body['error']).toBe('invalid_grant');
  expect((await refresh(product, victim.clientId, victim.refreshToken)).status).toBe(200);
});

test.each([
  ['a scope that was never granted', { scope: 'snippets.admin' }],
  ['a foreign resource', { resource: 'https://graph.microsoft.com' }],
])('A14 CVE-2025-69196: refreshing with %s widens nothing', async (_what, more: Record<string, string>) => {
  const { clientId, refreshToken } = await login();
  const answer = await postForm(`${product.url}/token`, {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: refreshToken,
    ...more,
  });
  expect(answer.status).toBe(400);
  expect(JSON.stringify(answer.body)).not.toContain('access_token');
});

test.each([
  ['empty', ''],
  ['an access token', 'access'],
  ['made up', 'x'.repeat(43)],
  ['made up of a path', '../../refresh-token'],
])('D39: a refresh token that is %s is invalid', async (_what, token) => {
  const { clientId, accessToken } = await login();
  const { status, body } = await refresh(product, clientId, token === 'access' ? accessToken : token);
  expect(status).toBe(400);
  expect(body['error']).toMatch(/^invalid_(grant|request)$/);
});

test('A18: a person who was disabled cannot refresh, and one whose roles changed refreshes to the new ones', async () => {
  const { control } = product.emulator;
  const { writer } = product.people;
  const disabled = await obtainTokens(product, writer);
  control.disableUser(writer.username);
  const refused = await refresh(product, disabled.clientId, disabled.refreshToken);
  control.enableUser(writer.username);
  expect(refused.body['error']).toBe('invalid_grant');
  expect(await works(disabled.accessToken)).toBe(401);

  const demoted = await obtainTokens(product, writer);
  control.setRoles(writer.username, []);
  const { body } = await refresh(product, demoted.clientId, demoted.refreshToken);
  control.setRoles(writer.username, ['Snippets.Reader', 'Snippets.Writer']);
  expect([403, 401]).toContain(await works(body['access_token']));
});
