import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { createBrowser } from './browser.suite.ts';
import {
  app,
  authorize,
  policy,
  readAnswer,
  redeem,
  refresh,
  signIn,
  uri,
  useScenario,
} from './scenario.suite.ts';

const scenario = useScenario();

const GUARDED = { scope: `openid offline_access ${uri(app.guarded)}/use` };
const C1 = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}';
const amrOf = (token: string) => decodeJwt(token)['amr'];

test('a second factor is asked for once, a wrong code again, and the token says so', async () => {
  const wrong = await authorize(scenario.emulator, GUARDED, { factorCode: '111111' });
  expect(wrong.text).toContain('AADSTS500121');
  const browser = createBrowser();
  const first = await authorize(scenario.emulator, GUARDED, { browser });
  expect(first.pages).toEqual(['login', 'factor']);
  expect((await authorize(scenario.emulator, GUARDED, { browser })).pages).toEqual([]);
  const { code = '' } = readAnswer(first);
  const { body } = await redeem(scenario.emulator, code);
  expect(decodeJwt(body.access_token)).toMatchObject({ aud: app.guarded });
  const graph = await refresh(scenario.emulator, body.refresh_token, { scope: 'User.Read' });
  expect(amrOf(graph.body.access_token)).toEqual(['pwd', 'mfa']);
  expect(amrOf((await signIn(scenario.emulator)).access_token)).toEqual(['pwd']);
});

test('refresh without it is invalid_grant with the policy in claims; with it, tokens', async () => {
  const { refresh_token } = await signIn(scenario.emulator);
  const refused = await refresh(scenario.emulator, refresh_token, { scope: `${uri(app.guarded)}/use` });
  expect(refused.body).toMatchObject({
    error: 'invalid_grant',
    suberror: 'basic_action',
    error_codes: [50076],
  });
  const claims = String(refused.body['claims']);
  expect(claims).toContain(policy.factor);
  const strong = await signIn(scenario.emulator, { claims });
  expect(
    (await refresh(scenario.emulator, strong.refresh_token, { scope: `${uri(app.guarded)}/use` })).status,
  ).toBe(200);
});

test('whoever has no second factor is led to one, and silently it is AADSTS50079', async () => {
  const mona = { username: 'mona@contoso.example' };
  expect((await authorize(scenario.emulator, GUARDED, mona)).pages).toEqual(['login', 'enrol', 'factor']);
  expect((await authorize(scenario.emulator, GUARDED, mona)).pages).toEqual(['login', 'factor']);
});

test('an authentication context: provoked, satisfied, and in the token that asked for it only', async () => {
  const scope = `openid offline_access ${uri(app.legacy)}/use`;
  const { refresh_token, access_token } = await signIn(scenario.emulator, { scope });
  expect(decodeJwt(access_token)['acrs']).toBeUndefined();
  const refused = await refresh(scenario.emulator, refresh_token, { scope, claims: C1 });
  expect(refused.body).toMatchObject({ error: 'invalid_grant', suberror: 'basic_action' });
  expect(JSON.parse(String(refused.body['claims']))).toMatchObject({
    access_token: { acrs: { essential: true, values: ['c1'] } },
  });
  const strong = await signIn(scenario.emulator, { scope, claims: C1 });
  expect(decodeJwt(strong.access_token)['acrs']).toEqual(['c1']);
  const again = await refresh(scenario.emulator, strong.refresh_token, { scope, claims: C1 });
  expect(decodeJwt(again.body.access_token)['acrs']).toEqual(['c1']);
  const plain = await refresh(scenario.emulator, strong.refresh_token, { scope });
  expect(decodeJwt(plain.body.access_token)['acrs']).toBeUndefined();
});

test('a context without a policy is satisfied by anybody', async () => {
  const claims = C1.replace('c1', 'c7');
  const { access_token } = await signIn(scenario.emulator, { scope: `${uri(app.legacy)}/use`, claims });
  expect(decodeJwt(access_token)['acrs']).toEqual(['c7']);
});

test('sign-in frequency: the page again with a password, AADSTS70043 at the token endpoint', async () => {
  const scope = `openid offline_access ${uri(app.fresh)}/use`;
  const browser = createBrowser();
  const first = readAnswer(await authorize(scenario.emulator, { scope }, { browser }));
  const { body } = await redeem(scenario.emulator, first['code'] ?? '');
  scenario.aheadMs = 3_590_000;
  expect((await refresh(scenario.emulator, body.refresh_token, { scope })).status).toBe(200);
  scenario.aheadMs = 3_700_000;
  expect((await refresh(scenario.emulator, body.refresh_token, { scope })).body).toMatchObject({
    error: 'invalid_grant',
    error_codes: [70043],
  });
  const url = new URLSearchParams({
    client_id: app.web,
    response_type: 'code',
    scope,
    redirect_uri: 'http://localhost:3001/auth/callback',
  });
  const page = await browser.get(
    `${scenario.emulator.httpOrigin}/contoso.example/oauth2/v2.0/authorize?${url.toString()}`,
  );
  expect(await page.text()).not.toContain('data-username');
  const again = await authorize(scenario.emulator, { scope }, { browser, password: 'Rita-Passw0rd' });
  expect([again.pages, typeof readAnswer(again)['code']]).toEqual([['login'], 'string']);
});

test.each([
  ['managed', 'rita@contoso.example', 530003],
  ['managed', 'carl@contoso.example', 53000],
  ['managed', 'cora@contoso.example', undefined],
  ['joined', 'cora@contoso.example', 53001],
  ['blocked', 'cora@contoso.example', 53003],
] as const)('%s for %s: %s', async (name, username, code) => {
  const scope = `openid offline_access ${uri(app[name])}/use`;
  const { text, pages, response } = await authorize(scenario.emulator, { scope }, { username });
  expect(pages).toEqual(['login']);
  expect(code === undefined ? response.status : text).toEqual(
    code === undefined ? 302 : expect.stringContaining(`AADSTS${code}`),
  );
  const { refresh_token } = await signIn(scenario.emulator, {}, { username });
  const { status, body } = await refresh(scenario.emulator, refresh_token, { scope });
  expect([status, body.error_codes?.[0]]).toEqual([code === undefined ? 200 : 400, code]);
});

test('claims that are no JSON object are refused, and everything unknown in them is ignored', async () => {
  expect(readAnswer(await authorize(scenario.emulator, { claims: '[]' }))['error_description']).toContain(
    'AADSTS90023',
  );
  expect(
    readAnswer(
      await authorize(scenario.emulator, { claims: '{"userinfo":{"x":null},"access_token":{"acrs":7}}' }),
    ),
  ).toHaveProperty('code');
});
