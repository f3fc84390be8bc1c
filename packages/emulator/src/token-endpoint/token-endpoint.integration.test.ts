import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { authorizeUrl, createBrowser, readRedirect } from '../browser.suite.ts';
import {
  CONTOSO_TENANT_ID as TENANT,
  createEmulator,
  DESKTOP_CLIENT_ID,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  SNIPPETS_API_CLIENT_ID,
  SNIPPETS_API_URI,
} from '../emulator.ts';

const REDIRECT = 'http://localhost:3001/auth/callback';
const VERIFIER = 'dBjftJeZ4CVP-mBKQ1fqa1WJvYxRZQVBT9Nqk-93dQA';
const S256 = {
  code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
  code_challenge_method: 'S256',
};
const SECRET = { client_id: GATEWAY_CLIENT_ID, client_secret: GATEWAY_CLIENT_SECRET };
const LEGACY_URI = 'api://legacy.contoso.example';
let nowMs = Date.now();
let emulator: Emulator;

beforeAll(async () => {
  const [tenant] = defaultSeed.tenants;
  if (tenant === undefined) throw new Error('no tenant');
  const legacy = {
    clientId: '64e5f709-4d5e-4f60-8172-d4e5f6071829',
    servicePrincipalId: '64e5f709-5555-4f60-8172-000000000004',
    displayName: 'Legacy API',
    redirectUris: [],
    identifierUris: [LEGACY_URI],
    scopes: ['read'],
    accessTokenVersion: 1 as const,
    groupClaims: true,
  };
  const apps = tenant.apps.map((app) =>
    app.clientId === GATEWAY_CLIENT_ID
      ? { ...app, secrets: [...(app.secrets ?? []), { value: 'expired', expiresAtMs: 1 }] }
      : app,
  );
  const seed = { tenants: [{ ...tenant, apps: [...apps, legacy] }] };
  emulator = await createEmulator({ seed, nowMs: () => nowMs });
});
beforeEach(() => {
  nowMs = Date.now();
  emulator.control.reset();
});
afterAll(() => emulator.close());

type Answer = Record<string, unknown> & {
  readonly access_token: string;
  readonly id_token: string;
  readonly refresh_token: string;
};

async function ask(
  form: Record<string, string>,
  headers: Record<string, string> = {},
  path = `/${TENANT}/oauth2/v2.0/token`,
) {
  const response = await fetch(emulator.httpOrigin + path, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers,
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer };
}

async function getCode(
  params: Record<string, string> = {},
  username = 'rita@contoso.example',
): Promise<string> {
  const request = {
    client_id: GATEWAY_CLIENT_ID,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid profile offline_access',
    ...params,
  };
  const redirect = readRedirect(
    await createBrowser().signIn(authorizeUrl(emulator, TENANT, request), username),
  );
  return redirect.searchParams.get('code') ?? `none: ${redirect.search}`;
}

const redeem = (code: string, more: Record<string, string> = {}) =>
  ask({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT, ...SECRET, ...more });
const refresh = (refreshToken: string, more: Record<string, string> = {}) =>
  ask({ grant_type: 'refresh_token', refresh_token: refreshToken, ...SECRET, ...more });

async function signIn(params: Record<string, string> = {}, username?: string): Promise<Answer> {
  const { status, body } = await redeem(await getCode(params, username));
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
}

test('an error has the shape of Entra’s', async () => {
  const correlationId = '11111111-2222-4333-8444-555555555555';
  const { status, headers, body } = await ask(
    { grant_type: 'authorization_code', ...SECRET, client_secret: 'wrong', code: 'x' },
    { 'client-request-id': correlationId },
  );
  expect(status).toBe(401);
  expect(headers.get('client-request-id')).toBe(correlationId);
  expect(body).toEqual({
    error: 'invalid_client',
    error_description: expect.stringMatching(
      /^AADSTS7000215: .* Trace ID: \S+ Correlation ID: 11111111-2222-4333-8444-555555555555 Timestamp: [-0-9]+ [0-9:]+Z$/,
    ),
    error_codes: [7000215],
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/),
    trace_id: headers.get('x-ms-request-id'),
    correlation_id: correlationId,
    error_uri: 'https://login.microsoftonline.com/error?code=7000215',
  });
});

const DEFAULT_SCOPE = { grant_type: 'client_credentials', scope: `${SNIPPETS_API_URI}/.default` };

test.each([
  ['nothing at all', {}, 400, 900144],
  ['an unknown grant', { grant_type: 'dance', ...SECRET }, 400, 70003],
  ['no client', { grant_type: 'refresh_token', refresh_token: 'x' }, 400, 900144],
  ['an unknown client', { grant_type: 'refresh_token', refresh_token: 'x', client_id: TENANT }, 400, 700016],
  ['a wrong secret', { ...DEFAULT_SCOPE, ...SECRET, client_secret: 'wrong' }, 401, 7000215],
  ['an expired secret', { ...DEFAULT_SCOPE, ...SECRET, client_secret: 'expired' }, 401, 7000222],
  ['no secret', { ...DEFAULT_SCOPE, client_id: GATEWAY_CLIENT_ID }, 401, 7000216],
  ['no /.default', { ...DEFAULT_SCOPE, ...SECRET, scope: `${SNIPPETS_API_URI}/snippets.use` }, 400, 1002012],
  [
    'two resources',
    {
      ...DEFAULT_SCOPE,
      ...SECRET,
      scope: `${SNIPPETS_API_URI}/.default https://graph.microsoft.com/.default`,
    },
    400,
    1002012,
  ],
  ['an unknown resource', { ...DEFAULT_SCOPE, ...SECRET, scope: 'api://nobody/.default' }, 400, 500011],
  [
    'a made-up code',
    { grant_type: 'authorization_code', code: 'x', redirect_uri: REDIRECT, ...SECRET },
    400,
    70000,
  ],
  ['a made-up refresh token', { grant_type: 'refresh_token', refresh_token: 'x', ...SECRET }, 400, 70000],
  [
    'an assertion that is no token',
    {
      ...DEFAULT_SCOPE,
      client_id: GATEWAY_CLIENT_ID,
      client_assertion: 'x',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    },
    401,
    50027,
  ],
  [
    'an assertion without its type',
    { ...DEFAULT_SCOPE, client_id: GATEWAY_CLIENT_ID, client_assertion: 'x' },
    400,
    900144,
  ],
])('refused: %s', async (_, form, status, code) => {
  const answer = await ask(form);
  expect([answer.status, answer.body['error_codes']]).toEqual([status, [code]]);
});

test('GET is refused, a repeated parameter is refused, JSON is not read', async () => {
  const url = `${emulator.httpOrigin}/${TENANT}/oauth2/v2.0/token`;
  expect(await (await fetch(url)).json()).toMatchObject({ error_codes: [900561] });
  const twice = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams('grant_type=refresh_token&grant_type=refresh_token'),
  });
  expect(await twice.json()).toMatchObject({ error_codes: [9002313] });
  const json = await fetch(url, {
    method: 'POST',
    body: '{"grant_type":"refresh_token"}',
    headers: { 'content-type': 'application/json' },
  });
  expect(await json.json()).toMatchObject({ error_codes: [900144] });
});

test('client_secret_basic, form-encoded as RFC 6749 §2.3.1 asks; the two client ids must agree', async () => {
  const basic = (id: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  });
  expect((await ask(DEFAULT_SCOPE, basic(GATEWAY_CLIENT_ID, GATEWAY_CLIENT_SECRET))).status).toBe(200);
  expect((await ask(DEFAULT_SCOPE, basic(GATEWAY_CLIENT_ID, 'wrong'))).status).toBe(401);
  expect(
    (
      await ask(
        { ...DEFAULT_SCOPE, client_id: DESKTOP_CLIENT_ID },
        basic(GATEWAY_CLIENT_ID, GATEWAY_CLIENT_SECRET),
      )
    ).status,
  ).toBe(400);
});

test('a code is redeemed once: a second time, and a second at the same time, is AADSTS54005', async () => {
  const code = await getCode();
  const answers = await Promise.all([redeem(code), redeem(code), redeem(code)]);
  expect(answers.map((answer) => answer.status).toSorted()).toEqual([200, 400, 400]);
  expect((await redeem(code)).body['error_codes']).toEqual([54005]);
});

test.each([
  ['S256', S256, VERIFIER, 200],
  ['plain', { code_challenge: VERIFIER, code_challenge_method: 'plain' }, VERIFIER, 200],
  ['plain when no method is named', { code_challenge: VERIFIER }, VERIFIER, 200],
  ['the challenge itself as verifier', S256, S256.code_challenge, 501481],
  ['another verifier', S256, VERIFIER.replace('d', 'e'), 501481],
  ['no verifier', S256, undefined, 501481],
  ['a verifier that nobody announced', {}, VERIFIER, 501481],
])('PKCE: %s', async (_, challenge, verifier, expected) => {
  const { status, body } = await redeem(
    await getCode(challenge),
    verifier === undefined ? {} : { code_verifier: verifier },
  );
  expect(status === 200 ? 200 : (body['error_codes'] as number[])[0]).toBe(expected);
});

test('a code is bound to its redirect URI, its tenant name and its client, and lives ten minutes', async () => {
  const code = await getCode();
  expect(
    (await redeem(code, { redirect_uri: 'http://localhost:3002/auth/callback' })).body['error_codes'],
  ).toEqual([500112]);
  const elsewhere = await ask(
    { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, ...SECRET },
    {},
    '/contoso.example/oauth2/v2.0/token',
  );
  expect(elsewhere.body['error_codes']).toEqual([70000]);
  const other = await ask({
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT,
    client_id: DESKTOP_CLIENT_ID,
  });
  expect(other.body['error_codes']).toEqual([70000]);
  const unproven = await ask({
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT,
    client_id: GATEWAY_CLIENT_ID,
  });
  expect([unproven.status, unproven.body['error_codes']]).toEqual([401, [7000218]]);
  nowMs += 10 * 60_000;
  expect((await redeem(code)).body['error_codes']).toEqual([70008]);
});

test('a public client redeems without a secret', async () => {
  const public_ = { client_id: DESKTOP_CLIENT_ID, redirect_uri: 'http://localhost:5000' };
  const code = await getCode({ ...public_, ...S256 });
  const { status, body } = await ask({
    grant_type: 'authorization_code',
    code,
    ...public_,
    code_verifier: VERIFIER,
  });
  expect(status, JSON.stringify(body)).toBe(200);
  expect(decodeJwt(body.access_token)).toMatchObject({ appid: DESKTOP_CLIENT_ID, appidacr: '0' });
});

test('the old refresh token stays valid, and one refresh token serves several resources', async () => {
  const { refresh_token } = await signIn({ scope: 'openid profile offline_access User.Read' });
  const scope = `${SNIPPETS_API_URI}/snippets.use offline_access`;
  const answers = await Promise.all([
    refresh(refresh_token, { scope }),
    refresh(refresh_token, { scope: 'User.Read' }),
    refresh(refresh_token),
  ]);
  expect(answers.map(({ body }) => decodeJwt(body.access_token).aud)).toEqual([
    SNIPPETS_API_CLIENT_ID,
    'https://graph.microsoft.com',
    'https://graph.microsoft.com',
  ]);
  expect(answers[0].body['scope']).toBe(`${SNIPPETS_API_URI}/snippets.use`);
  expect(answers[0].body.refresh_token).not.toBe(refresh_token);
  expect((await refresh(answers[0].body.refresh_token, { scope })).status).toBe(200);
});

test('refresh dies by revocation, by a disabled account and after ninety days', async () => {
  const { refresh_token } = await signIn();
  emulator.control.disableUser('rita@contoso.example');
  expect((await refresh(refresh_token)).body).toMatchObject({ error: 'invalid_grant', error_codes: [50057] });
  emulator.control.enableUser('rita@contoso.example');
  nowMs += 90 * 86_400_000;
  expect((await refresh(refresh_token)).body).toMatchObject({ error_codes: [700082] });
  nowMs -= 86_400_000;
  emulator.control.revokeSessions('rita@contoso.example');
  const { body } = await refresh(refresh_token);
  expect(body).toMatchObject({ error: 'invalid_grant', error_codes: [50173] });
  expect(body['suberror']).toBeUndefined();
});

test('several resources may be named at sign-in but not at the token endpoint', async () => {
  const scope = `openid ${SNIPPETS_API_URI}/snippets.use User.Read`;
  const code = await getCode({ scope });
  expect((await redeem(code, { scope })).body['error_codes']).toEqual([28000]);
  const { body } = await redeem(code);
  expect([decodeJwt(body.access_token).aud, body['scope']]).toEqual([
    SNIPPETS_API_CLIENT_ID,
    `openid ${SNIPPETS_API_URI}/snippets.use`,
  ]);
});

test.each([
  ['equal to the App ID URI', SNIPPETS_API_URI, `${SNIPPETS_API_URI}/snippets.use`, 200],
  ['with only OpenID scopes', SNIPPETS_API_URI, 'openid', 200],
  ['with a trailing slash', `${SNIPPETS_API_URI}/`, `${SNIPPETS_API_URI}/snippets.use`, 9010010],
  ['in another case', SNIPPETS_API_URI.replace('/mcp', '/MCP'), `${SNIPPETS_API_URI}/snippets.use`, 9010010],
  ['of another app than the scope', SNIPPETS_API_URI, 'User.Read', 9010010],
  ['of an app with v1 tokens', LEGACY_URI, `${LEGACY_URI}/read`, 9010010],
])('AADSTS9010010: resource %s', async (_, resource, scope, expected) => {
  const { refresh_token } = await signIn({ scope: 'openid offline_access' });
  const { status, body } = await refresh(refresh_token, { resource, scope });
  expect(status === 200 ? 200 : (body['error_codes'] as number[])[0]).toBe(expected);
  if (status !== 200) expect(body['error']).toBe('invalid_target');
  const start = await getCode({ resource, scope });
  expect(start).toMatch(expected === 200 ? /^1\./ : /error=invalid_target.*AADSTS9010010/);
});

test('AADSTS90009: a token for itself by App ID URI dies at the first refresh, by GUID it lives', async () => {
  const scope = `api://${GATEWAY_CLIENT_ID}/access_as_user`;
  const { refresh_token } = await signIn({ scope: `openid offline_access ${scope}` });
  expect((await refresh(refresh_token, { scope })).body['error_codes']).toEqual([90009]);
  const { body } = await refresh(refresh_token, { scope: `${GATEWAY_CLIENT_ID}/access_as_user` });
  expect(decodeJwt(body.access_token)).toMatchObject({
    aud: GATEWAY_CLIENT_ID,
    ver: '2.0',
    roles: ['Snippets.Reader'],
  });
});

test('the id token has the roles of the client’s app, the access token those of the resource’s', async () => {
  const { id_token, access_token } = await signIn(
    { scope: `openid profile ${SNIPPETS_API_URI}/snippets.use`, nonce: 'n' },
    'walt@contoso.example',
  );
  expect(decodeJwt(id_token)).toMatchObject({
    aud: GATEWAY_CLIENT_ID,
    nonce: 'n',
    roles: ['Snippets.Reader', 'Snippets.Writer'],
  });
  const access = decodeJwt(access_token);
  expect(access).toMatchObject({
    aud: SNIPPETS_API_CLIENT_ID,
    azp: GATEWAY_CLIENT_ID,
    azpacr: '1',
    scp: 'snippets.use',
    ver: '2.0',
  });
  expect(access['roles']).toBeUndefined();
  expect(access.sub).not.toBe(decodeJwt(id_token).sub);
});

test('a v1 resource gets a v1 token: its own issuer, the App ID URI as audience, appid and upn', async () => {
  const { access_token } = await signIn({ scope: `openid ${LEGACY_URI}/read` });
  const claims = decodeJwt(access_token);
  expect(claims).toMatchObject({
    ver: '1.0',
    iss: `${emulator.httpsOrigin}/${TENANT}/`,
    aud: LEGACY_URI,
    appid: GATEWAY_CLIENT_ID,
    upn: 'rita@contoso.example',
    unique_name: 'rita@contoso.example',
  });
  expect(claims['azp']).toBeUndefined();
});

test('more than 200 groups: the token only says where to ask', async () => {
  const claims = decodeJwt((await signIn({}, 'otto@contoso.example')).id_token);
  expect(claims).toMatchObject({
    _claim_names: { groups: 'src1' },
    _claim_sources: { src1: { endpoint: expect.stringContaining('/getMemberObjects') } },
  });
  expect(claims['groups']).toBeUndefined();
  expect(decodeJwt((await signIn()).id_token)['groups']).toHaveLength(2);
});

test('a guest says where it comes from; a person without roles has no roles claim', async () => {
  expect(decodeJwt((await signIn({}, 'gus@partner.example')).id_token)).toMatchObject({
    idp: 'https://sts.windows.net/6d9b2e3f-1a4c-4d7e-8f80-213a4b5c6d72/',
    tid: TENANT,
    oid: '10000000-0000-4000-8000-000000000004',
    email: 'gus@partner.example',
  });
  expect(decodeJwt((await signIn({}, 'nora@contoso.example')).id_token)['roles']).toBeUndefined();
});

test('roles changed by the control plane are in the next token', async () => {
  const { refresh_token } = await signIn();
  emulator.control.setRoles('rita@contoso.example', ['Snippets.Admin']);
  expect(decodeJwt((await refresh(refresh_token)).body.id_token)['roles']).toEqual(['Snippets.Admin']);
  emulator.control.setRoles('rita@contoso.example', []);
  expect(decodeJwt((await refresh(refresh_token)).body.id_token)['roles']).toBeUndefined();
  expect(() => emulator.control.setRoles('rita@contoso.example', ['Nonsense'])).toThrow(RangeError);
});

test('client credentials never return a refresh token, and refuse common', async () => {
  const { body } = await ask({ ...DEFAULT_SCOPE, ...SECRET });
  expect(Object.keys(body).toSorted()).toEqual([
    'access_token',
    'expires_in',
    'ext_expires_in',
    'token_type',
  ]);
});

test('the v1 endpoint takes resource in the place of scope', async () => {
  const form = { grant_type: 'client_credentials', resource: SNIPPETS_API_URI, ...SECRET };
  const { status, body } = await ask(form, {}, `/${TENANT}/oauth2/token`);
  expect(status).toBe(200);
  expect(decodeJwt(body.access_token)).toMatchObject({ aud: SNIPPETS_API_CLIENT_ID, ver: '2.0' });
});
