import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import {
  app,
  askToken,
  authorize,
  CONTOSO,
  readAnswer,
  SECRET,
  signIn,
  uri,
  useScenario,
} from './scenario.suite.ts';

const scenario = useScenario();

const CP1 = '{"access_token":{"xms_cc":{"values":["cp1"]}}}';

test('optional claims appear in tokens for the app that asked for them, and in no other', async () => {
  const { access_token } = await signIn(scenario.emulator, { scope: `${uri(app.talkative)}/use` });
  expect(decodeJwt(access_token)).toMatchObject({
    idtyp: 'user',
    email: 'rita@contoso.example',
    upn: 'rita@contoso.example',
    login_hint: expect.any(String),
    auth_time: expect.any(Number),
    acct: 0,
  });
  const other = decodeJwt(
    (await signIn(scenario.emulator, { scope: `${uri(app.middle)}/use` })).access_token,
  );
  expect(['idtyp', 'email', 'upn', 'login_hint', 'auth_time'].filter((name) => name in other)).toEqual([]);
  const guest = await signIn(
    scenario.emulator,
    { scope: `${uri(app.talkative)}/use` },
    { username: 'gus@partner.example' },
  );
  expect(decodeJwt(guest.access_token)).toMatchObject({ acct: 1, email: 'gus@partner.example' });
  expect(decodeJwt(guest.access_token)['upn']).toBeUndefined();
});

test('the optional claim login_hint names its account to authorize', async () => {
  const { access_token } = await signIn(scenario.emulator, { scope: `${uri(app.talkative)}/use` });
  const hint = String(decodeJwt(access_token)['login_hint']);
  const { text } = await authorize(
    scenario.emulator,
    { login_hint: hint },
    { username: 'rita@contoso.example', password: 'wrong' },
  );
  expect(text).toContain('AADSTS50126');
});

test('aud of a v1 token: the App ID URI as it was spelled, or the client id with use_guid', async () => {
  const { access_token } = await signIn(scenario.emulator, { scope: `${uri(app.legacy)}/use` });
  expect(decodeJwt(access_token)).toMatchObject({ ver: '1.0', aud: app.legacy });
});

test.each([
  ['Graph and cp1', 'User.Read', CP1, true],
  ['an API with xms_cc and cp1', `${uri(app.talkative)}/use`, CP1, true],
  ['an API without', `${uri(app.middle)}/use`, CP1, false],
  ['a client without', 'User.Read', undefined, false],
])('continuous access: %s', async (_, scope, claims, isLong) => {
  const body = await signIn(scenario.emulator, { scope, ...(claims === undefined ? {} : { claims }) });
  const token = decodeJwt(body.access_token);
  expect(token['xms_cc']).toEqual(isLong ? ['cp1'] : undefined);
  expect(Number(body['expires_in']) > 20 * 3600).toBe(isLong);
  expect('refresh_in' in body).toBe(isLong);
});

test('v1: strings, absolute times, the resource, and an id token of its own form', async () => {
  const asked = { version: 1 } as const;
  const body = await signIn(scenario.emulator, { resource: 'https://graph.microsoft.com' }, asked);
  expect(body).toMatchObject({
    expires_in: expect.stringMatching(/^\d+$/),
    expires_on: expect.stringMatching(/^\d{10}$/),
    not_before: expect.stringMatching(/^\d{10}$/),
    resource: 'https://graph.microsoft.com',
  });
  expect(decodeJwt(body.id_token)).toMatchObject({
    ver: '1.0',
    iss: `${scenario.emulator.httpsOrigin}/${CONTOSO}/`,
    upn: 'rita@contoso.example',
    amr: ['pwd'],
  });
});

test('tokens from the authorize endpoint: hybrid with both hashes, in the fragment or posted', async () => {
  const asked = { client: app.implicit };
  const hybrid = await authorize(
    scenario.emulator,
    { response_type: 'code id_token token', nonce: 'n', scope: 'openid User.Read' },
    asked,
  );
  expect(new URL(hybrid.response.headers.get('location') ?? '').search).toBe('');
  const answer = readAnswer(hybrid);
  expect(answer).toMatchObject({
    code: expect.any(String),
    access_token: expect.any(String),
    token_type: 'Bearer',
  });
  expect(decodeJwt(answer['id_token'] ?? '')).toMatchObject({
    nonce: 'n',
    c_hash: expect.any(String),
    at_hash: expect.any(String),
  });
  const posted = await authorize(
    scenario.emulator,
    { response_type: 'id_token', nonce: 'n', scope: 'openid', response_mode: 'form_post' },
    asked,
  );
  expect(decodeJwt(readAnswer(posted)['id_token'] ?? '')['c_hash']).toBeUndefined();
  const noNonce = await authorize(scenario.emulator, { response_type: 'id_token', scope: 'openid' }, asked);
  expect(readAnswer(noNonce)['error_description']).toContain("'nonce'");
});

test('an agent identity: from its blueprint to its user, with the claims that say so', async () => {
  const exchange = 'api://AzureADTokenExchange/.default';
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
  const blueprint = await askToken(scenario.emulator, {
    grant_type: 'client_credentials',
    client_id: app.blueprint,
    client_secret: SECRET,
    scope: exchange,
    fmi_path: app.agent,
  });
  const proof = {
    client_id: app.agent,
    client_assertion: blueprint.body.access_token,
    client_assertion_type: type,
  };
  const asApp = (scope: string) =>
    askToken(scenario.emulator, { grant_type: 'client_credentials', scope, ...proof });
  const onItsOwn = await asApp(`${uri(app.talkative)}/.default`);
  expect(decodeJwt(onItsOwn.body.access_token)).toMatchObject({
    xms_act_fct: '11',
    xms_sub_fct: '11',
    xms_par_app_azp: app.blueprint,
    idtyp: 'app',
    azpacr: '2',
  });
  const own = (await asApp(exchange)).body.access_token;
  const asUser = (more: Record<string, string> = {}) =>
    askToken(scenario.emulator, {
      grant_type: 'user_fic',
      user_federated_identity_credential: own,
      username: 'agent@contoso.example',
      scope: `${uri(app.talkative)}/use`,
      ...proof,
      ...more,
    });
  expect(decodeJwt((await asUser()).body.access_token)).toMatchObject({
    xms_act_fct: '11',
    xms_sub_fct: '13',
    preferred_username: 'agent@contoso.example',
  });
  const refused = async (more: Record<string, string>) => (await asUser(more)).body.error_codes?.[0];
  expect(await refused({ username: 'rita@contoso.example' })).toBe(50034);
  expect(await refused({ user_federated_identity_credential: blueprint.body.access_token })).toBe(50013);
  expect(await refused({ client_assertion: own })).toBe(700213);
  const foreign = await askToken(scenario.emulator, {
    grant_type: 'client_credentials',
    client_id: app.web,
    client_secret: SECRET,
    scope: exchange,
    fmi_path: app.agent,
  });
  expect(foreign.body.error_codes).toEqual([90023]);
});

test('Graph’s token names the directory roles: a member’s, and an administrator’s above it', async () => {
  const wids = async (username: string) =>
    decodeJwt((await signIn(scenario.emulator, { scope: 'User.Read' }, { username })).access_token)['wids'];
  expect(await wids('rita@contoso.example')).toHaveLength(1);
  expect(await wids('ada@contoso.example')).toContain('62e90394-69f5-4237-9190-012177145e10');
});
