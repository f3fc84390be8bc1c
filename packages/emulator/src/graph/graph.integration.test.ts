import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { postToken, signInForTokens } from '../browser.suite.ts';
import {
  createEmulator,
  type Emulator,
  SNIPPETS_API_URI,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
} from '../emulator.ts';

const CREDENTIALS = {
  grant_type: 'client_credentials',
  client_id: GATEWAY_CLIENT_ID,
  client_secret: GATEWAY_CLIENT_SECRET,
};
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator();
});
beforeEach(() => emulator.control.reset());
afterAll(() => emulator.close());

const post = (form: Record<string, string>) => postToken(emulator, form);
const signIn = (scope: string, username?: string) => signInForTokens(emulator, scope, username);
const me = (token: string | undefined, path = '/v1.0/me') =>
  fetch(emulator.httpOrigin + path, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });

test('Graph /me: default shape, $select, and Graph’s own errors', async () => {
  const { access_token } = await signIn('openid User.Read');
  expect(await (await me(access_token)).json()).toMatchObject({
    '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#users/$entity',
    id: '10000000-0000-4000-8000-000000000001',
    userPrincipalName: 'rita@contoso.example',
    businessPhones: [],
    officeLocation: null,
  });
  expect(await (await me(access_token, '/v1.0/me?$select=id,nothing')).json()).toMatchObject({
    error: { code: 'BadRequest' },
  });
  for (const token of [
    undefined,
    'x',
    'a.b.c',
    (await signIn(`openid ${SNIPPETS_API_URI}/snippets.use`))['access_token'],
  ]) {
    const response = await me(token);
    expect([response.status, await response.json()]).toMatchObject([
      401,
      { error: { code: 'InvalidAuthenticationToken', innerError: { 'request-id': expect.any(String) } } },
    ]);
  }
  expect((await me((await signIn('openid Mail.Read'))['access_token'])).status).toBe(403);
  const app = (await (
    await post({ ...CREDENTIALS, scope: 'https://graph.microsoft.com/.default' })
  ).json()) as Record<string, string>;
  expect((await me(app['access_token'])).status).toBe(400);
});

test('Graph lists the groups a token could not hold, and userinfo the person', async () => {
  const { access_token = '' } = await signIn('openid User.Read', 'otto@contoso.example');
  const headers = { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' };
  const response = await fetch(`${emulator.httpOrigin}/v1.0/me/getMemberObjects`, {
    method: 'POST',
    headers,
    body: '{"securityEnabledOnly":false}',
  });
  const { value } = (await response.json()) as { value: string[] };
  expect(value).toHaveLength(250);
  expect(await (await me(access_token, '/oidc/userinfo')).json()).toMatchObject({ name: 'Otto Overage' });
});
