import { createHash, randomBytes } from 'node:crypto';
import { ok } from '@valetkey/core/base/result';
import { Secret } from '@valetkey/core/base/secret';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { EntraConfig } from '../config/config.ts';
import { createTestClock, openSealedStore } from '../session/sealed-store.suite.ts';
import type { Driver } from '../store/driver.ts';
import { StoreUnavailable } from '../store/driver.ts';
import { createEntra } from './create-entra.ts';
import type { Answer } from './fake-authority.suite.ts';
import {
  CLIENT,
  discoveryOf,
  HOST,
  OTHER_TENANT,
  PERSON,
  startFakeAuthority,
  TENANT,
  tokens,
} from './fake-authority.suite.ts';
import { OutboundFailed } from './outbound.ts';

const secretText = 'the~client~secret';
const config: EntraConfig = {
  cloud: {
    name: 'custom',
    authorityHost: HOST,
    graphHost: 'https://graph.fake.example',
    tokenExchangeAudience: 'api://AzureADTokenExchange',
  },
  tenants: [TENANT],
  clientId: CLIENT,
  credential: { kind: 'secret', secret: new Secret(secretText) },
  scopes: [],
};
const callbackUrl = 'https://mcp.contoso.example/auth/callback';
const rita = {
  tenantId: TENANT,
  objectId: PERSON,
  displayName: 'Rita Reader',
  username: 'rita@fake.example',
  roles: ['Snippets.Reader'],
  groups: [],
};

async function open(options: { config?: Partial<EntraConfig>; driver?: (driver: Driver) => Driver } = {}) {
  // MSAL reads the machine's clock, so these tests start at it and move only forward.
  const clock = createTestClock(Date.now());
  const authority = await startFakeAuthority(clock);
  const store = openSealedStore(clock, options.driver);
  const warnings: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
  const create = () =>
    createEntra({
      config: { ...config, ...options.config },
      callbackUrl,
      store,
      world: { clock, random: randomBytes, log },
      outbound: authority.outbound,
    });
  return { clock, authority, store, create, warnings, entra: create() };
}

type Opened = Awaited<ReturnType<typeof open>>;

async function signIn({ entra }: Pick<Opened, 'entra'>, sessionId = 's1') {
  const started = await entra.startSignIn({ state: 'state-1' });
  if (!started.ok) throw new Error(started.error.description);
  const { secrets } = started.value;
  return entra.finishSignIn({ code: secrets.nonce, secrets, sessionId });
}

const formOf = (authority: Opened['authority']) =>
  authority.requests
    .filter(({ url }) => new URL(url).pathname.endsWith('/token'))
    .map(({ body }) => new URLSearchParams(body));

const answerError = (error: string, code: number, more: object = {}, status = 400): Answer => ({
  status,
  body: {
    error,
    error_description: `AADSTS${code}: Words of Entra about rita@fake.example. Trace ID: 0ddcd6d6-7a31-4c45-a4d8-b9c5b1f0a111 Correlation ID: 0ddcd6d6-7a31-4c45-a4d8-b9c5b1f0a222 Timestamp: 2026-09-01 10:00:00Z`,
    error_codes: [code],
    correlation_id: '0ddcd6d6-7a31-4c45-a4d8-b9c5b1f0a222',
    ...more,
  },
});

test('A37 A48 D61 D64: own PKCE, own nonce, the state byte for byte, and never a resource', async () => {
  const { entra } = await open({ config: { scopes: ['api://downstream/access'] } });
  const state = 'a+b/c=d&e%20f%zz ü';
  const first = await entra.startSignIn({ state, prompt: 'select_account', loginHint: 'rita@fake.example' });
  const second = await entra.startSignIn({ state: 'other', prompt: 'login', loginHint: 'rita@fake.example' });
  if (!first.ok || !second.ok) throw new Error('refused');
  const url = new URL(first.value.url);
  expect(url.origin + url.pathname).toBe(`${HOST}/${TENANT}/oauth2/v2.0/authorize`);
  expect(Object.fromEntries(url.searchParams)).toEqual({
    client_id: CLIENT,
    response_type: 'code',
    redirect_uri: callbackUrl,
    response_mode: 'query',
    scope: 'openid profile offline_access api://downstream/access',
    state,
    nonce: first.value.secrets.nonce,
    code_challenge: createHash('sha256').update(first.value.secrets.codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
    prompt: 'select_account',
  });
  expect(first.value.secrets.codeVerifier).toMatch(/^[\w-]{43,128}$/u);
  expect(first.value.secrets.codeVerifier).not.toBe(second.value.secrets.codeVerifier);
  expect(first.value.secrets.nonce).not.toBe(second.value.secrets.nonce);
  expect(new URL(second.value.url).searchParams.get('login_hint')).toBe('rita@fake.example');
});

test('A15 D31 D61: a sign-in gives the person of the checked id token, and nothing of the tokens', async () => {
  const opened = await open();
  const person = await signIn(opened);
  expect(person).toEqual(ok(rita));
  const [form] = formOf(opened.authority);
  expect(form?.get('grant_type')).toBe('authorization_code');
  expect(form?.get('code_verifier')).toMatch(/^[\w-]{43}$/u);
  expect(form?.get('redirect_uri')).toBe(callbackUrl);
  expect(form?.get('scope')?.split(' ').toSorted()).toEqual(['offline_access', 'openid', 'profile']);
  expect(form?.has('resource')).toBe(false);
  expect(JSON.stringify(person)).not.toMatch(/eyJ|upstream-/u);
});

test('one discovery and one key request serve all sign-ins; the document is fetched again after a day', async () => {
  const opened = await open();
  await Promise.all([signIn(opened, 's1'), signIn(opened, 's2')]);
  await signIn(opened, 's3');
  const count = (part: string) => opened.authority.requests.filter(({ url }) => url.includes(part)).length;
  expect(count('/openid-configuration')).toBe(1);
  expect(count('/keys')).toBe(1);
  expect(count('/discovery/instance')).toBe(0);
  expect(opened.authority.requests).toHaveLength(5);
  opened.clock.advance(24 * 3600);
  await opened.entra.startSignIn({ state: 's' });
  expect(count('/openid-configuration')).toBe(2);
});

test('an authority that is away for a while does not stop who already knows its endpoints', async () => {
  const { entra, authority, clock } = await open();
  await entra.startSignIn({ state: 's' });
  clock.advance(25 * 3600);
  authority.override('/openid-configuration', () => ({ status: 503, body: 'maintenance' }));
  expect((await entra.startSignIn({ state: 's' })).ok).toBe(true);
});

const hostileDocuments: [string, object | string, string][] = [
  ['another issuer', { ...discoveryOf(TENANT), issuer: `${HOST}/${OTHER_TENANT}/v2.0` }, 'another issuer'],
  [
    'a foreign token endpoint',
    { ...discoveryOf(TENANT), token_endpoint: 'https://evil.example/t' },
    'token_endpoint',
  ],
  ['foreign keys', { ...discoveryOf(TENANT), jwks_uri: 'https://evil.example/k' }, 'jwks_uri'],
  [
    'plain http',
    { ...discoveryOf(TENANT), token_endpoint: `${HOST.replace('https', 'http')}/t` },
    'token_endpoint',
  ],
  ['a page instead', '<html>', 'not a discovery document'],
];
test.each(hostileDocuments)(
  'a discovery document with %s is refused before anything is sent',
  async (_, body, why) => {
    const { entra, authority } = await open();
    authority.override('/openid-configuration', () => ({ body }));
    const started = await entra.startSignIn({ state: 's' });
    expect(started).toMatchObject({ ok: false, error: { kind: 'operator' } });
    expect(JSON.stringify(started)).toContain(why);
    expect(authority.requests).toHaveLength(1);
  },
);

const hour = 3600;
const badTokens: [string, (now: number) => Record<string, unknown>, string][] = [
  ['another sign-in’s nonce', () => ({ nonce: 'other' }), ''],
  ['no nonce', () => ({ nonce: undefined }), ''],
  ['another audience', () => ({ aud: 'somebody-else' }), 'aud'],
  ['a tenant that is not ours', () => ({ tid: OTHER_TENANT }), 'tenant'],
  ['our tenant but another issuer', () => ({ iss: `${HOST}/${OTHER_TENANT}/v2.0` }), 'issuer'],
  ['a v1 issuer', () => ({ iss: `https://sts.windows.net/${TENANT}/` }), 'issuer'],
  ['an expiry in the past', (now) => ({ exp: now - hour }), 'exp'],
  ['a start in the future', (now) => ({ nbf: now + hour }), 'nbf'],
  ['an issue time in the future', (now) => ({ iat: now + hour }), 'iat'],
  ['an old issue time', (now) => ({ iat: now - hour }), 'iat'],
  ['no expiry', () => ({ exp: undefined }), 'exp'],
  ['no person', () => ({ oid: undefined }), 'oid'],
  ['a person that is no GUID', () => ({ oid: 'root' }), 'oid'],
  ['no tenant', () => ({ tid: undefined }), ''],
  ['roles that are no list', () => ({ roles: 'Snippets.Admin' }), 'roles'],
];
test.each(badTokens)(
  'D31 D61: an id token with %s is refused and nothing is kept',
  async (_, claims, why) => {
    let writes = 0;
    const { entra, authority, clock } = await open({
      driver: (driver) => ({
        ...driver,
        put: (...put) => {
          writes += 1;
          return driver.put(...put);
        },
      }),
    });
    authority.onToken(async (form) => {
      const nonce = form.get('code') ?? '';
      return tokens(await authority.sign({ nonce, ...claims(Math.floor(clock.nowMs() / 1000)) }));
    });
    const refused = await signIn({ entra });
    expect(refused).toMatchObject({ ok: false, error: { kind: 'invalid' } });
    expect(JSON.stringify(refused)).toContain(why);
    expect(JSON.stringify(refused)).not.toMatch(/eyJ|upstream-/u);
    expect(writes).toBe(0);
    expect(await entra.renew('s1')).toMatchObject({ ok: false, error: { kind: 'interaction' } });
  },
);

const forgeries: [
  string,
  (token: string, forge: Opened['authority'], nonce: string) => Promise<string> | string,
][] = [
  ['a changed payload', (token) => changePayload(token, { roles: ['Snippets.Admin'] })],
  ['no signature', (token) => `${token.split('.').slice(0, 2).join('.')}.`],
  ['alg none', (token) => `${encode({ alg: 'none' })}.${token.split('.')[1] ?? ''}.`],
  ['HS256', (_, authority, nonce) => authority.sign({ nonce }, { alg: 'HS256' })],
  ['an unknown key', (_, authority, nonce) => authority.sign({ nonce }, { kid: 'k9' })],
  ['no token at all', () => ''],
  ['noise', () => 'noise.noise.noise'],
];
test.each(forgeries)('D61: an id token with %s is refused and nothing is kept', async (_, forge) => {
  const { entra, authority } = await open();
  authority.onToken(async (form) => {
    const nonce = form.get('code') ?? '';
    return tokens(await forge(await authority.sign({ nonce }), authority, nonce));
  });
  expect(await signIn({ entra })).toMatchObject({ ok: false, error: { kind: 'invalid' } });
  expect(await entra.renew('s1')).toMatchObject({ ok: false, error: { kind: 'interaction' } });
});

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function changePayload(token: string, change: object): string {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const claims: object = JSON.parse(Buffer.from(payload, 'base64url').toString());
  return [header, encode({ ...claims, ...change }), signature].join('.');
}

test('D1: an unknown key id asks for the keys once, not once per forged token', async () => {
  const { entra, authority } = await open();
  await signIn({ entra });
  authority.onToken(async (form) =>
    tokens(await authority.sign({ nonce: form.get('code') ?? '' }, { kid: randomBytes(4).toString('hex') })),
  );
  for (let round = 0; round < 5; round += 1) await signIn({ entra }, `s${round + 2}`);
  expect(authority.requests.filter(({ url }) => url.endsWith('/keys'))).toHaveLength(1);
});

test('D21: an answer without a refresh token is the operator’s to repair, and nothing is kept', async () => {
  const { entra, authority } = await open();
  authority.onToken(async (form) =>
    tokens(await authority.sign({ nonce: form.get('code') ?? '' }), { refresh_token: undefined }),
  );
  const refused = await signIn({ entra });
  expect(refused).toMatchObject({ ok: false, error: { kind: 'operator' } });
  expect(JSON.stringify(refused)).toContain('offline_access');
  expect(await entra.renew('s1')).toMatchObject({ ok: false, error: { kind: 'interaction' } });
});

test('D21: a renewal reads roles anew and keeps the new refresh token, also for another replica', async () => {
  const opened = await open();
  await signIn(opened);
  let round = 0;
  opened.authority.onToken(async () => {
    round += 1;
    return tokens(await opened.authority.sign({ roles: [`Role.${round}`] }), {
      refresh_token: `rotated-${round}`,
    });
  });
  expect(await opened.entra.renew('s1')).toEqual(ok({ ...rita, roles: ['Role.1'] }));
  const replica = opened.create();
  expect(await replica.renew('s1')).toEqual(ok({ ...rita, roles: ['Role.2'] }));
  const forms = formOf(opened.authority).slice(1);
  expect(forms.map((form) => form.get('refresh_token'))).toEqual(['upstream-refresh-token', 'rotated-1']);
  for (const form of forms) {
    expect(form.get('grant_type')).toBe('refresh_token');
    expect(form.has('resource')).toBe(false);
  }
});

test('two renewals of one session at once are one request; two sessions are two', async () => {
  const opened = await open();
  await signIn(opened, 's1');
  await signIn(opened, 's2');
  opened.authority.onToken(async () => tokens(await opened.authority.sign()));
  const before = formOf(opened.authority).length;
  const results = await Promise.all(['s1', 's1', 's1', 's2'].map((id) => opened.entra.renew(id)));
  expect(results.every((result) => result.ok)).toBe(true);
  expect(formOf(opened.authority).length - before).toBe(2);
});

test('a renewal that is answered for another person is refused, and the session keeps its tokens', async () => {
  const opened = await open();
  await signIn(opened);
  const other = '10000000-0000-4000-8000-000000000666';
  opened.authority.onToken(async () =>
    tokens(await opened.authority.sign({ oid: other }), { refresh_token: 'foreign' }),
  );
  expect(await opened.entra.renew('s1')).toMatchObject({ ok: false, error: { kind: 'invalid' } });
  opened.authority.onToken(async () => tokens(await opened.authority.sign()));
  expect(await opened.entra.renew('s1')).toEqual(ok(rita));
  expect(formOf(opened.authority).at(-1)?.get('refresh_token')).toBe('upstream-refresh-token');
});

test('A56: forgotten tokens are gone, and a renewal under way does not bring them back', async () => {
  const opened = await open();
  await signIn(opened);
  opened.authority.onToken(async () => {
    await opened.entra.forget('s1');
    return tokens(await opened.authority.sign());
  });
  expect(await opened.entra.renew('s1')).toMatchObject({ ok: false, error: { kind: 'interaction' } });
  const requests = opened.authority.requests.length;
  expect(await opened.entra.renew('s1')).toMatchObject({ ok: false, error: { kind: 'interaction' } });
  expect(opened.authority.requests).toHaveLength(requests);
});

const failures: [string, Answer, object][] = [
  ['plain invalid_grant', answerError('invalid_grant', 50173), { kind: 'interaction', code: 50173 }],
  [
    'interaction_required',
    answerError('interaction_required', 50076, { suberror: 'basic_action' }),
    { kind: 'interaction', code: 50076 },
  ],
  [
    'a bad refresh token',
    answerError('invalid_grant', 70000, { suberror: 'bad_token' }),
    { kind: 'interaction' },
  ],
  ['a wrong secret', answerError('invalid_client', 7000215, {}, 401), { kind: 'operator', code: 7000215 }],
  ['an unknown app', answerError('unauthorized_client', 700016), { kind: 'operator', code: 700016 }],
  ['a wrong resource', answerError('invalid_target', 9010010), { kind: 'operator', code: 9010010 }],
  ['a code nobody knows', answerError('invalid_request', 999999), { kind: 'operator', code: 999999 }],
  [
    'a throttle',
    { ...answerError('temporarily_unavailable', 90055, {}, 429), headers: { 'Retry-After': '17' } },
    { kind: 'unavailable', retryAfterSeconds: 17 },
  ],
  ['a page of a proxy', { status: 502, body: '<html>' }, { kind: 'unavailable' }],
  ['a server error', answerError('server_error', 50000, {}, 500), { kind: 'unavailable' }],
  [
    'a redirect',
    { status: 302, headers: { location: 'https://evil.example/' }, body: '' },
    { kind: 'invalid' },
  ],
  ['an empty answer', { body: '' }, { kind: 'invalid' }],
  ['a list', { body: [] }, { kind: 'invalid' }],
];
test.each(failures)(
  'Entra’s %s at a renewal becomes a kind that says who must act',
  async (_, answer, expected) => {
    const headers = Object.fromEntries(
      Object.entries(answer.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    );
    const opened = await open();
    await signIn(opened);
    opened.authority.onToken(async () => ({ ...answer, headers }));
    const refused = await opened.entra.renew('s1');
    expect(refused).toMatchObject({ ok: false, error: expected });
    const text = JSON.stringify(refused);
    expect(text).not.toMatch(/rita@|Trace ID|upstream-/u);
    expect(text).not.toContain(secretText);
  },
);

test('A26: while Entra asks to wait, a session’s renewals are answered without a request', async () => {
  const opened = await open();
  await signIn(opened);
  opened.authority.onToken(async () => ({
    ...answerError('temporarily_unavailable', 90055, {}, 429),
    headers: { 'retry-after': '30' },
  }));
  await opened.entra.renew('s1');
  const requests = opened.authority.requests.length;
  opened.clock.advance(10);
  expect(await opened.entra.renew('s1')).toMatchObject({
    ok: false,
    error: { kind: 'unavailable', retryAfterSeconds: 20 },
  });
  expect(opened.authority.requests).toHaveLength(requests);
  opened.clock.advance(20);
  opened.authority.onToken(async () => tokens(await opened.authority.sign()));
  expect(await opened.entra.renew('s1')).toEqual(ok(rita));
});

test('no network, no keys, no store: each says so, and only the store’s is an exception', async () => {
  const opened = await open();
  opened.authority.override('/keys', () => {
    throw new OutboundFailed('login.fake.example', 'ECONNREFUSED');
  });
  expect(await signIn(opened)).toMatchObject({ ok: false, error: { kind: 'unavailable' } });
  opened.authority.override('/keys', undefined);
  opened.authority.override('/token', () => {
    throw new OutboundFailed('login.fake.example', 'ECONNRESET');
  });
  expect(await signIn(opened)).toMatchObject({ ok: false, error: { kind: 'unavailable' } });

  const broken = await open({
    driver: (driver) => ({ ...driver, put: () => Promise.reject(new StoreUnavailable('down')) }),
  });
  await expect(signIn(broken)).rejects.toBeInstanceOf(StoreUnavailable);
});

test('several tenants: one sign-in page for all, and only the listed ones come in', async () => {
  const opened = await open({ config: { tenants: [TENANT, OTHER_TENANT] } });
  const started = await opened.entra.startSignIn({ state: 's' });
  expect(JSON.stringify(started)).toContain(`${HOST}/organizations/oauth2/v2.0/authorize`);
  const asTenant = (tid: string) =>
    opened.authority.onToken(async (form) =>
      tokens(await opened.authority.sign({ tid, nonce: form.get('code') ?? undefined })),
    );
  asTenant(OTHER_TENANT);
  expect(await signIn(opened)).toEqual(ok({ ...rita, tenantId: OTHER_TENANT }));
  expect(await opened.entra.renew('s1')).toMatchObject({ ok: true, value: { tenantId: OTHER_TENANT } });
  asTenant('8f5c0000-0000-4000-8000-000000000003');
  expect(await signIn(opened, 's2')).toMatchObject({ ok: false, error: { kind: 'invalid' } });
  const keyRequests = opened.authority.requests.filter(({ url }) => url.endsWith('/keys'));
  expect(keyRequests.map(({ url }) => url)).toEqual([`${HOST}/${OTHER_TENANT}/discovery/v2.0/keys`]);
});

test('groups that did not fit are said to be missing, and are not taken for none', async () => {
  const opened = await open();
  opened.authority.onToken(async (form) =>
    tokens(await opened.authority.sign({ nonce: form.get('code') ?? '', _claim_names: { groups: 'src1' } })),
  );
  expect(await signIn(opened)).toEqual(ok({ ...rita, hasGroupOverage: true }));
});

test('A29: a client secret in production is warned about at start, and not shown', async () => {
  const { warnings } = await open();
  expect(warnings.join('')).toContain('client secret');
  expect(warnings.join('')).not.toContain(secretText);
  const secretless = await open({
    config: { credential: { kind: 'workloadIdentity', tokenFile: '/var/run/token' } },
  });
  expect(secretless.warnings).toEqual([]);
});

test('A15 A28: the store holds no token in the clear, and no session id', async () => {
  const written: string[] = [];
  const opened = await open({
    driver: (driver) => ({
      ...driver,
      put: (key, record) => {
        written.push(key, Buffer.from(record.value).toString('latin1'));
        return driver.put(key, record);
      },
    }),
  });
  await signIn(opened, 'the-session-id');
  expect(written).toHaveLength(2);
  expect(written.join('')).not.toMatch(/eyJ|upstream-|the-session-id|rita/u);
});
