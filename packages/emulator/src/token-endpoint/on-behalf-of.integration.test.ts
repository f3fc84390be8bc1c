import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import {
  actOnBehalf,
  app,
  askToken,
  CONTOSO,
  policy,
  refresh,
  SECRET,
  signIn,
  uri,
  useScenario,
} from '../scenario.suite.ts';

const scenario = useScenario();

const assertionOf = async (params: Record<string, string> = {}) =>
  (await signIn(scenario.emulator, { scope: `openid ${uri(app.middle)}/use`, ...params })).access_token;

test('the API’s token becomes one for Graph, for the same person and the API as client', async () => {
  const { status, body } = await actOnBehalf(scenario.emulator, await assertionOf());
  expect(status, JSON.stringify(body)).toBe(200);
  expect(decodeJwt(body.access_token)).toMatchObject({
    aud: 'https://graph.microsoft.com',
    appid: app.middle,
    scp: 'User.Read',
    unique_name: 'rita@contoso.example',
  });
  expect([body.refresh_token, body['scope']]).toEqual([undefined, 'https://graph.microsoft.com/User.Read']);
});

test('offline_access brings a refresh token that the API may use', async () => {
  const scope = 'https://graph.microsoft.com/.default offline_access';
  const { body } = await actOnBehalf(scenario.emulator, await assertionOf(), { scope });
  const again = await refresh(scenario.emulator, body.refresh_token, { client_id: app.middle });
  expect(decodeJwt(again.body.access_token)).toMatchObject({ appid: app.middle, scp: 'User.Read' });
});

test('Conditional Access on the downstream API: interaction_required with claims, satisfied by a new assertion', async () => {
  const scope = `${uri(app.guarded)}/use`;
  const refused = await actOnBehalf(scenario.emulator, await assertionOf(), { scope });
  expect(refused).toMatchObject({
    status: 400,
    body: { error: 'interaction_required', error_codes: [50076], suberror: 'basic_action' },
  });
  const claims = String(refused.body['claims']);
  expect(JSON.parse(claims)).toEqual({
    access_token: { capolids: { essential: true, values: [policy.factor] } },
  });
  const stronger = await assertionOf({ claims });
  const { status, body } = await actOnBehalf(scenario.emulator, stronger, { scope });
  expect(status, JSON.stringify(body)).toBe(200);
  expect(decodeJwt(body.access_token)).toMatchObject({ aud: app.guarded, azp: app.middle });
});

test.each([
  [
    'a token for another API',
    async () => (await signIn(scenario.emulator, { scope: `${uri(app.legacy)}/use` })).access_token,
    500131,
  ],
  ['a token for Graph', async () => (await signIn(scenario.emulator)).access_token, 500131],
  ['an id token, which is for the client', async () => (await signIn(scenario.emulator)).id_token, 500131],
  ['a changed signature', async () => `${(await assertionOf()).slice(0, -8)}AAAAAAAA`, 50013],
  ['no token', () => Promise.resolve('x.y.z'), 50027],
])('refused: %s', async (_, getAssertion, code) => {
  const { status, body } = await actOnBehalf(scenario.emulator, await getAssertion());
  expect([status, body.error_codes]).toEqual([400, [code]]);
});

test('an assertion dies with its time, with the person’s sessions and with their account', async () => {
  const assertion = await assertionOf();
  const code = async () => (await actOnBehalf(scenario.emulator, assertion)).body.error_codes?.[0];
  scenario.emulator.control.disableUser('rita@contoso.example');
  expect(await code()).toBe(50057);
  scenario.emulator.control.enableUser('rita@contoso.example');
  scenario.emulator.control.revokeSessions('rita@contoso.example');
  expect(await code()).toBe(50173);
  scenario.aheadMs = 2 * 3_600_000;
  expect(await code()).toBe(500133);
});

test('an app-only assertion, an app that may not, one that does not prove itself, and an alias', async () => {
  const form = {
    grant_type: 'client_credentials',
    client_secret: SECRET,
    scope: `${uri(app.middle)}/.default`,
  };
  const { body } = await askToken(scenario.emulator, form);
  expect((await actOnBehalf(scenario.emulator, body.access_token)).body).toMatchObject({
    error_codes: [7000114],
  });
  const own = await assertionOf({ scope: `${uri(app.noOnBehalf)}/use` });
  const forbidden = await actOnBehalf(scenario.emulator, own, { client_id: app.noOnBehalf });
  expect(forbidden.body).toMatchObject({ error_codes: [7000114] });
  const wrong = await actOnBehalf(scenario.emulator, own, { client_secret: 'wrong' });
  expect(wrong).toMatchObject({ status: 401, body: { error_codes: [7000215] } });
  const missing = await actOnBehalf(scenario.emulator, own, { requested_token_use: '' });
  expect(missing.body).toMatchObject({ error_codes: [900144] });
});

test('the API’s own consent counts: AADSTS65001 until somebody gives it', async () => {
  const assertion = await assertionOf({ scope: `${uri(app.consenting)}/use` });
  const ask = () => actOnBehalf(scenario.emulator, assertion, { client_id: app.consenting });
  expect((await ask()).body).toMatchObject({
    error: 'invalid_grant',
    suberror: 'consent_required',
    error_codes: [65001],
  });
  await signIn(scenario.emulator, { scope: 'User.Read' }, { client: app.consenting, tenant: CONTOSO });
  expect((await ask()).status).toBe(200);
});
