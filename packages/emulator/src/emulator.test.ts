import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { authorizeUrl, createBrowser, readRedirect } from './browser.suite.ts';
import {
  CONTOSO_TENANT_ID as TENANT,
  createEmulator,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  SNIPPETS_API_URI,
} from './emulator.ts';

const REDIRECT = 'http://localhost:3001/auth/callback';
const CREDENTIALS = {
  grant_type: 'client_credentials',
  scope: `${SNIPPETS_API_URI}/.default`,
  client_id: GATEWAY_CLIENT_ID,
  client_secret: GATEWAY_CLIENT_SECRET,
};
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator();
});
beforeEach(() => emulator.control.reset());
afterAll(() => emulator.close());

const post = (form: Record<string, string>) =>
  fetch(`${emulator.httpOrigin}/${TENANT}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
  });
const getJson = async (path: string) =>
  (await (await fetch(emulator.httpOrigin + path)).json()) as Record<string, unknown>;

async function signIn(scope: string, username = 'rita@contoso.example'): Promise<Record<string, string>> {
  const params = { client_id: GATEWAY_CLIENT_ID, response_type: 'code', redirect_uri: REDIRECT, scope };
  const redirect = readRedirect(
    await createBrowser().signIn(authorizeUrl(emulator, TENANT, params), username),
  );
  const code = redirect.searchParams.get('code') ?? '';
  const { client_id, client_secret } = CREDENTIALS;
  const response = await post({
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT,
    client_id,
    client_secret,
  });
  return (await response.json()) as Record<string, string>;
}

const me = (token: string | undefined, path = '/v1.0/me') =>
  fetch(emulator.httpOrigin + path, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });

test('discovery names the browser’s endpoints on the origin that was asked, and everything else on https', async () => {
  const v2 = await getJson(`/contoso.example/v2.0/.well-known/openid-configuration`);
  expect(v2).toMatchObject({
    issuer: `${emulator.httpsOrigin}/${TENANT}/v2.0`,
    authorization_endpoint: `${emulator.httpOrigin}/${TENANT}/oauth2/v2.0/authorize`,
    token_endpoint: `${emulator.httpsOrigin}/${TENANT}/oauth2/v2.0/token`,
    jwks_uri: `${emulator.httpsOrigin}/${TENANT}/discovery/v2.0/keys`,
  });
  // Entra publishes neither: MCP clients have to live with that.
  expect(Object.keys(v2)).not.toEqual(
    expect.arrayContaining(['code_challenge_methods_supported', 'registration_endpoint']),
  );
  const common = await getJson('/common/v2.0/.well-known/openid-configuration');
  expect(common['issuer']).toBe(`${emulator.httpsOrigin}/{tenantid}/v2.0`);
  const v1 = await getJson(`/${TENANT}/.well-known/openid-configuration`);
  expect([v1['issuer'], v1['token_endpoint']]).toEqual([
    `${emulator.httpsOrigin}/${TENANT}/`,
    `${emulator.httpsOrigin}/${TENANT}/oauth2/token`,
  ]);
  expect(await getJson('/nowhere/v2.0/.well-known/openid-configuration')).toMatchObject({
    error: 'invalid_tenant',
    error_codes: [90002],
  });
  expect((await fetch(`${emulator.httpOrigin}/.well-known/oauth-authorization-server`)).status).toBe(404);
});

test('instance discovery knows this cloud and no other', async () => {
  const path = '/common/discovery/instance?api-version=1.1&authorization_endpoint=';
  const own = await getJson(
    path + encodeURIComponent(`${emulator.httpsOrigin}/${TENANT}/oauth2/v2.0/authorize`),
  );
  const host = new URL(emulator.httpsOrigin).host;
  expect(own).toMatchObject({
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  });
  expect(await getJson(`${path}https%3A%2F%2Fevil.example%2Fx`)).toMatchObject({
    error: 'invalid_instance',
    error_codes: [50049],
  });
});

test('https is served by a leaf for localhost, 127.0.0.1 and ::1 under the local CA', async () => {
  const { hostname, port } = new URL(emulator.httpsOrigin);
  const peer = await new Promise<X509Certificate | undefined>((resolve, reject) => {
    const request = https.get(
      { hostname, port, path: `/${TENANT}/discovery/v2.0/keys`, ca: emulator.caCertificatePem, agent: false },
      (response) => {
        const socket = response.socket as import('node:tls').TLSSocket;
        resolve(socket.getPeerX509Certificate());
        response.resume();
      },
    );
    request.on('error', reject);
  });
  expect(peer?.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
  const authority = new X509Certificate(emulator.caCertificatePem);
  expect([authority.ca, peer?.ca, peer?.verify(authority.publicKey)]).toEqual([true, false, true]);
});

test('the CA is kept in its directory, with a key only its owner reads', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'emulator-ca-'));
  const first = await createEmulator({ caDirectory: directory });
  await first.close();
  const second = await createEmulator({ caDirectory: directory });
  await second.close();
  expect(second.caCertificatePem).toBe(first.caCertificatePem);
  expect((await stat(join(directory, 'ca-key.pem'))).mode & 0o777).toBe(0o600);
  await rm(directory, { recursive: true });
});

test('it refuses a host that others reach, a contradictory seed, and production', async () => {
  await expect(createEmulator({ host: '0.0.0.0' })).rejects.toThrow(RangeError);
  const [tenant] = defaultSeed.tenants;
  if (tenant === undefined) throw new Error('no tenant');
  await expect(createEmulator({ seed: { tenants: [{ ...tenant, users: [] }] } })).rejects.toThrow(
    /rita@contoso\.example, who is not a user/,
  );
  const before = process.env['NODE_ENV'];
  process.env['NODE_ENV'] = 'production';
  try {
    await expect(createEmulator()).rejects.toThrow('production');
  } finally {
    process.env['NODE_ENV'] = before;
  }
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

test('faults: throttling, outage, a broken connection, any code, and only as often as asked', async () => {
  const { control } = emulator;
  control.setFault(
    { endpoint: 'token', clientId: GATEWAY_CLIENT_ID },
    { kind: 'throttle', retryAfterSeconds: 7 },
    1,
  );
  const throttled = await post(CREDENTIALS);
  expect([throttled.status, throttled.headers.get('retry-after')]).toEqual([429, '7']);
  control.setFault({ endpoint: 'token' }, { kind: 'outage' }, 1);
  expect((await post(CREDENTIALS)).status).toBe(503);
  control.setFault({ endpoint: 'token' }, { kind: 'outage', hangUp: true }, 1);
  await expect(post(CREDENTIALS)).rejects.toThrow();
  control.setFault({ clientId: GATEWAY_CLIENT_ID }, { kind: 'aadsts', code: 1234567, suberror: 'x' }, 1);
  expect(await (await post(CREDENTIALS)).json()).toMatchObject({
    error: 'invalid_grant',
    error_codes: [1234567],
    suberror: 'x',
  });
  control.setFault({ clientId: 'another' }, { kind: 'outage' });
  control.setFault({ username: 'walt@contoso.example' }, { kind: 'aadsts', code: 53003 });
  expect((await post(CREDENTIALS)).status).toBe(200);
  control.setFault(
    { endpoint: 'graph', username: 'rita@contoso.example' },
    { kind: 'throttle', retryAfterSeconds: 3 },
    1,
  );
  const { access_token } = await signIn('openid User.Read');
  const busy = await me(access_token);
  expect([busy.status, busy.headers.get('retry-after'), await busy.json()]).toMatchObject([
    429,
    '3',
    { error: { code: 'TooManyRequests' } },
  ]);
  control.setFault({ endpoint: 'token' }, { kind: 'outage' });
  control.clearFaults();
  expect((await post(CREDENTIALS)).status).toBe(200);
  expect(() =>
    control.setFault({ username: 'rita@contoso.example' }, { kind: 'latency', latencyMs: 1 }),
  ).toThrow(TypeError);
});

test('an AADSTS fault at authorize travels to the redirect, and one Entra keeps to itself stays on the page', async () => {
  const params = {
    client_id: GATEWAY_CLIENT_ID,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid',
    state: 's',
  };
  const url = authorizeUrl(emulator, TENANT, params);
  emulator.control.setFault({ endpoint: 'authorize' }, { kind: 'aadsts', code: 65001 }, 1);
  const redirect = readRedirect(await createBrowser().get(url));
  expect(Object.fromEntries(redirect.searchParams)).toMatchObject({
    error: 'invalid_grant',
    suberror: 'consent_required',
    state: 's',
  });
  emulator.control.setFault(
    { endpoint: 'authorize', username: 'rita@contoso.example' },
    { kind: 'aadsts', code: 53003 },
    1,
  );
  const blocked = await createBrowser().signIn(url, 'rita@contoso.example');
  expect([blocked.status, (await blocked.text()).includes('AADSTS53003')]).toEqual([400, true]);
});

test('latency delays a right answer, and closing does not wait for it', async () => {
  const own = await createEmulator();
  own.control.setFault({ endpoint: 'keys' }, { kind: 'latency', latencyMs: 60_000 });
  const pending = fetch(`${own.httpOrigin}/${TENANT}/discovery/v2.0/keys`).catch(() => 'closed');
  await expect.poll(() => own.control.requestLog().length, { timeout: 50 }).toBe(0);
  await own.close();
  expect(['closed', 200]).toContain(
    await pending.then((answer) => (typeof answer === 'string' ? answer : answer.status)),
  );
});

test('a rotated key signs with an unseen kid, and the previous one stays published once', async () => {
  const kids = async () =>
    ((await getJson(`/${TENANT}/discovery/v2.0/keys`))['keys'] as { kid: string }[]).map((key) => key.kid);
  const before = await kids();
  expect(new Set(before).size).toBe(2);
  await emulator.control.rotateKeys();
  const after = await kids();
  expect(after).toHaveLength(2);
  expect(before).not.toContain(after[0]);
  expect(after[1]).toBe(before[0]);
  const { id_token = '' } = await signIn('openid');
  const keys = createRemoteJWKSet(new URL(`${emulator.httpOrigin}/${TENANT}/discovery/v2.0/keys`));
  expect((await jwtVerify(id_token, keys)).protectedHeader.kid).toBe(after[0]);
});

test('token life is 60 to 90 minutes, or what the control plane says', async () => {
  const lifetime = async () =>
    ((await (await post(CREDENTIALS)).json()) as { expires_in: number }).expires_in;
  const usual = await lifetime();
  expect(usual).toBeGreaterThanOrEqual(3600);
  expect(usual).toBeLessThan(5400);
  emulator.control.setAccessTokenLifetime(5);
  expect(await lifetime()).toBe(5);
});

test('the request log holds what was asked and no secret, code, password or token', async () => {
  const tokens = await signIn('openid offline_access User.Read');
  await me(tokens['access_token']);
  const log = emulator.control.requestLog();
  expect(log.map((entry) => `${entry.method} ${entry.path.split('/').at(-1)} ${entry.status}`)).toEqual([
    'GET authorize 200',
    'POST login 302',
    'POST token 200',
    'GET me 200',
  ]);
  const text = JSON.stringify(log);
  for (const secret of [
    GATEWAY_CLIENT_SECRET,
    ...Object.values(tokens).filter((value) => typeof value === 'string' && value.length > 40),
  ]) {
    expect(text).not.toContain(secret);
  }
  expect(log[2]?.form).toMatchObject({
    grant_type: 'authorization_code',
    code: '[secret]',
    client_secret: '[secret]',
  });
});

test('an app cannot register a redirect URI the portal refuses', () => {
  const add = (uri: string) => () => emulator.control.addRedirectUri(GATEWAY_CLIENT_ID, uri);
  for (const uri of [
    'http://evil.example/cb',
    'javascript:alert(1)',
    'nonsense',
    'https://a.example/#x',
    `https://a.example/${'x'.repeat(256)}`,
  ]) {
    expect(add(uri), uri).toThrow(TypeError);
  }
  expect(add('https://gateway.example/auth/callback')).not.toThrow();
  expect(() => emulator.control.addRedirectUri('nobody', 'https://a.example/')).toThrow(RangeError);
});

test('a body too long is 413, a foreign Host 400, an unknown path 404, a wrong method 405', async () => {
  expect((await post({ grant_type: 'x'.repeat(70_000) })).status).toBe(413);
  const status = await new Promise((resolve, reject) => {
    const options = { headers: { host: 'rebound.example' }, agent: false };
    http.get(emulator.httpOrigin, options, (response) => resolve(response.statusCode)).on('error', reject);
  });
  expect(status).toBe(400);
  expect((await fetch(`${emulator.httpOrigin}/nothing`)).status).toBe(404);
  expect((await fetch(`${emulator.httpOrigin}/${TENANT}/login`)).status).toBe(405);
});

test('no garbage makes the emulator fail by itself', async () => {
  const names = fc.constantFrom(
    'grant_type',
    'client_id',
    'client_secret',
    'code',
    'redirect_uri',
    'scope',
    'resource',
    'client_assertion',
    'client_assertion_type',
    'refresh_token',
    'code_verifier',
    'prompt',
    'response_type',
    'response_mode',
    'code_challenge',
    'ctx',
    'account',
    'claims',
  );
  const values = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      GATEWAY_CLIENT_ID,
      GATEWAY_CLIENT_SECRET,
      'authorization_code',
      'refresh_token',
      'client_credentials',
      REDIRECT,
      'code',
      '/',
      '//.default',
      'eyJhbGciOiJub25lIn0.e30.',
      'eyJhbGciOiJub25lIn0.eyJpc3MiOjF9.',
      '__proto__',
      'constructor',
    ),
  );
  const params = fc
    .array(fc.tuple(names, values), { maxLength: 8 })
    .map((pairs) => new URLSearchParams(pairs).toString());
  const segments = fc.constantFrom(
    TENANT,
    'common',
    'contoso.example',
    '%',
    '%00',
    '__proto__',
    '{tenantid}',
  );
  const paths = fc.constantFrom(
    'oauth2/v2.0/token',
    'oauth2/token',
    'oauth2/v2.0/authorize',
    'oauth2/authorize',
    'login',
    'discovery/instance',
    'v2.0/.well-known/openid-configuration',
    'oauth2/v2.0/logout',
  );
  const header = fc.constantFrom('', 'Basic !', 'Basic Og==', 'Basic JTpY', 'Bearer a.b.c');
  await fc.assert(
    fc.asyncProperty(
      segments,
      paths,
      params,
      params,
      header,
      fc.boolean(),
      async (segment, path, query, body, authorization, isPost) => {
        const init = {
          redirect: 'manual' as const,
          headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
        };
        const response = await fetch(
          `${emulator.httpOrigin}/${segment}/${path}?${query}`,
          isPost ? { ...init, method: 'POST', body } : init,
        );
        await response.arrayBuffer();
        expect(response.status).toBeLessThan(500);
      },
    ),
    { numRuns: 100 },
  );
  expect(emulator.control.requestLog().filter((entry) => entry.mistake !== undefined)).toEqual([]);
});
