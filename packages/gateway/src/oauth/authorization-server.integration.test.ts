/** The authorization server over real HTTP, with a person who is always signed in by the test itself. */
import { createHash, randomBytes } from 'node:crypto';
import { createKeyRing, parseKeyRing } from '@valetkey/core/crypto/key-ring';
import { ok } from '@valetkey/core/base/result';
import { decodeProtectedHeader, jwtDecrypt } from 'jose';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { AuditEvent } from '../audit/event.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { createRouter } from '../http/dispatch.ts';
import { createRateLimiter } from '../http/rate-limit.ts';
import { closeGracefully, createHttpServer, listen } from '../http/server.ts';
import { createStore } from '../store/sealed.ts';
import { openSqliteDriver } from '../store/sqlite.ts';
import { createAuthorizationServer } from './authorization-server.ts';
import { renderOAuthError } from './error-page.ts';
import { createResources } from './resources.ts';
import type { RenewalRefusal } from './sign-ins.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const redirect = 'http://127.0.0.1:33418/callback';
const person = 'tenant.object';

function testConfig(port: number, refreshReplaySeconds: number): Config {
  const text = `
publicUrl: http://localhost:${port}
entra: { tenant: 8f5c1d0e-0000-4000-8000-000000000001, clientId: 31b20000-0000-4000-8000-000000000002, credential: { secret: 'env:S' } }
store: 'sqlite::memory:'
keys: { file: ./unused.json }
lifetimes: { refreshReplaySeconds: ${refreshReplaySeconds} }
backends:
  one: { path: /one/mcp, upstream: 'http://127.0.0.1:1/mcp', scopes: [one.use, one.write] }
  two: { path: /two/mcp, upstream: 'http://127.0.0.1:1/mcp', scopes: [two.use] }
`;
  const config = loadConfig({ source: { text }, env: { S: 'a-long-enough-secret' } });
  if (!config.ok) throw new Error(JSON.stringify(config.error));
  return config.value;
}

async function start({ refreshReplaySeconds = 30 } = {}) {
  const clock = { nowMs: () => Date.now() };
  const world = { clock, random: (size: number) => randomBytes(size), log: pino({ level: 'silent' }) };
  const ring = parseKeyRing(createKeyRing(randomBytes, 0));
  if (!ring.ok) throw new Error(ring.error);
  const opened: { listener?: ReturnType<typeof createRouter> } = {};
  const server = createHttpServer((req, res) => opened.listener?.(req, res), { requestTimeoutMs: 5000 });
  const { port } = await listen(server, '127.0.0.1', 0);
  const config = testConfig(port, refreshReplaySeconds);
  const store = createStore({
    driver: openSqliteDriver({ path: ':memory:', clock }),
    keyRing: ring.value,
    random: randomBytes,
    clock,
  });
  const events: AuditEvent[] = [];
  const ended = new Set<string>();
  const renewal: { refusal: RenewalRefusal | undefined } = { refusal: undefined };
  const as = createAuthorizationServer({
    config,
    keyRing: ring.value,
    store,
    world,
    audit: { record: (event) => void events.push(event), close: async () => {} },
    cookieKeys: ['test-cookie-key'],
    resources: createResources(config.backends),
    signIns: {
      findFacts: async (sid) =>
        ended.has(sid) ? undefined : { sid, tid: 'tenant', oid: 'object', roles: ['Reader'] },
      renew: async () => renewal.refusal,
      end: async (sid) => void ended.add(sid),
    },
    fetchFromStranger: async () => {
      throw new Error('no document');
    },
    renderError: renderOAuthError,
    readAccessToken: async (token) => {
      const { payload } = await openToken(token);
      return { clientId: String(payload['client_id']), sessionId: String(payload['sid']) };
    },
    checkClientLimit: () => ok(undefined),
  });
  const openToken = (token: string) => {
    const { kid } = decodeProtectedHeader(token);
    const key = ring.value.find('access-token', String(kid));
    if (key === undefined) throw new Error('unknown key');
    return jwtDecrypt(token, key.key);
  };
  const row = { cors: 'oauth', maxBodyBytes: 32_768 } as const;
  opened.listener = createRouter(
    [
      { ...row, methods: ['GET'], path: '/.well-known/oauth-authorization-server', handler: as.serve },
      { ...row, methods: ['GET'], path: '/.well-known/openid-configuration', handler: as.serve },
      { ...row, methods: ['GET'], path: '/jwks', handler: as.serve },
      { ...row, methods: ['GET'], path: '/authorize', handler: as.serve },
      { ...row, methods: ['GET'], path: '/authorize/*', handler: as.serve },
      { ...row, methods: ['POST'], path: '/register', handler: as.register },
      { ...row, methods: ['POST'], path: '/token', handler: as.submit },
      { ...row, methods: ['POST'], path: '/revoke', handler: as.submit },
      {
        ...row,
        methods: ['GET'],
        path: '/consent/*',
        // Stands in for the sign-in flow: the person allows everything at once.
        async handler(exchange) {
          const request = await as.interactions.findOfBrowser(exchange);
          if (request === undefined) return void exchange.res.writeHead(400).end('no interaction');
          const to =
            request.scopes.length === 0
              ? await as.interactions.refuse(request.id, { error: 'invalid_scope', description: 'x' })
              : await as.interactions.approve(exchange, request, {
                  sessionId: `s-${request.id}`,
                  person,
                  scopes: request.scopes,
                });
          exchange.res.writeHead(303, { Location: to ?? '/' }).end();
        },
      },
    ],
    {
      publicUrl: config.publicUrl,
      clientIp: () => '127.0.0.1',
      limiter: createRateLimiter(config.limits, clock),
      allowedOrigins: 'any',
      log: world.log,
      random: world.random,
    },
  );
  closers.push(
    () => closeGracefully(server, 100),
    () => store.close(),
  );
  return { url: config.publicUrl, events, ended, renewal, openToken };
}

type Running = Awaited<ReturnType<typeof start>>;

const verifier = 'v'.repeat(43);
const challenge = createHash('sha256').update(verifier).digest('base64url');

async function register(url: string, extra: Record<string, unknown> = {}) {
  const response = await fetch(`${url}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Test',
      redirect_uris: [redirect],
      token_endpoint_auth_method: 'none',
      ...extra,
    }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Follows redirects with a cookie jar until the browser would leave the gateway. */
async function browse(
  url: string,
  from: string,
): Promise<{ status: number; location: URL | undefined; text: string }> {
  const jar = new Map<string, string>();
  let next = from;
  for (let hops = 0; hops < 10; hops += 1) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(next, { redirect: 'manual', headers: { cookie, accept: 'text/html' } });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const location = response.headers.get('location');
    if (location === null)
      return { status: response.status, location: undefined, text: await response.text() };
    const target = new URL(location, url);
    if (target.origin !== url) return { status: response.status, location: target, text: '' };
    next = target.href;
  }
  throw new Error('too many redirects');
}

function authorizeUrl(url: string, clientId: string, extra: Record<string, string | undefined> = {}): string {
  const parameters = {
    client_id: clientId,
    redirect_uri: redirect,
    response_type: 'code',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    resource: `${url}/one/mcp`,
    scope: 'one.use',
    state: 'a+b/c==&d%e',
    ...extra,
  };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.append(name, value);
  return `${url}/authorize?${query}`;
}

async function postForm(url: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(fields), headers });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
  };
}

async function signIn(running: Running, extra: Record<string, string | undefined> = {}) {
  const { body } = await register(running.url);
  const clientId = String(body['client_id']);
  const { location } = await browse(running.url, authorizeUrl(running.url, clientId, extra));
  const code = location?.searchParams.get('code') ?? '';
  const redeem = (fields: Record<string, string> = {}) =>
    postForm(`${running.url}/token`, {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirect,
      client_id: clientId,
      code_verifier: verifier,
      resource: `${running.url}/one/mcp`,
      ...fields,
    });
  return { clientId, location, code, redeem };
}

test('A31 D54: a registration answers 201, echoes the metadata, and names what it refused', async () => {
  const { url } = await start();
  const { status, body } = await register(url, {
    redirect_uris: [redirect, 'evil://x'],
    grant_types: ['authorization_code', 'x'],
  });
  expect(status).toBe(201);
  expect(body).toMatchObject({
    client_name: 'Test',
    redirect_uris: [redirect],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code'],
    refused_redirect_uris: [{ uri: 'evil://x' }],
  });
  expect(body['client_id']).toEqual(expect.any(String));
  expect(body).not.toHaveProperty('client_secret');
});

test('A31: a client that wants a secret gets one', async () => {
  const { url } = await start();
  const { body } = await register(url, { token_endpoint_auth_method: 'client_secret_post' });
  expect(body['client_secret']).toEqual(expect.any(String));
});

test('A48 A34: the code arrives with the state byte for byte and iss', async () => {
  const running = await start();
  const { location } = await signIn(running);
  expect(location?.searchParams.get('state')).toBe('a+b/c==&d%e');
  expect(location?.searchParams.get('iss')).toBe(running.url);
  expect(location?.href.startsWith(`${redirect}?`)).toBe(true);
});

test('A15 A49 D3 D29: the access token is sealed, bound to one resource, and says who signed in', async () => {
  const running = await start();
  const { redeem } = await signIn(running);
  const { status, body, headers } = await redeem();
  expect(status).toBe(200);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'one.use' });
  expect(body['refresh_token']).toEqual(expect.any(String));
  const token = String(body['access_token']);
  expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'dir', enc: 'A256GCM' });
  const { payload } = await running.openToken(token);
  expect(payload).toMatchObject({
    iss: running.url,
    aud: `${running.url}/one/mcp`,
    sub: person,
    tid: 'tenant',
    oid: 'object',
    roles: ['Reader'],
    scope: 'one.use',
  });
});

test('a client that asks for no scope gets those of the resource; offline_access is kept', async () => {
  const running = await start();
  const { redeem } = await signIn(running, { scope: 'offline_access', prompt: 'consent' });
  expect((await redeem()).body['scope']).toBe('one.use one.write');
});

test('scopes that belong to nothing here end in invalid_scope', async () => {
  const running = await start();
  const { location } = await signIn(running, { scope: 'mail.read' });
  expect(location?.searchParams.get('error')).toBe('invalid_scope');
});

test.each([
  ['a missing challenge', { code_challenge: undefined }],
  ['an empty challenge', { code_challenge: '' }],
  ['a plain challenge', { code_challenge_method: 'plain' }],
  ['another response type', { response_type: 'token' }],
  ['an unknown resource', { resource: 'https://elsewhere.example/mcp' }],
])('A36 D34 D35: %s is refused', async (_what, extra) => {
  const running = await start();
  const { location, code } = await signIn(running, extra);
  expect(code).toBe('');
  // A request for a token in the front channel is refused in the fragment, where such a client would look.
  const answer = new URLSearchParams(location?.hash.slice(1) || location?.search);
  expect(answer.get('error')).toMatch(/invalid_request|unsupported_response_type|invalid_target/);
  expect(answer.get('state')).toBe('a+b/c==&d%e');
});

test.each([
  ['an unregistered redirect', { redirect_uri: 'https://evil.example/cb' }],
  ['a missing redirect', { redirect_uri: undefined }],
  ['a prefix of the redirect', { redirect_uri: 'http://127.0.0.1:33418/call' }],
  ['an unknown client', { client_id: 'unknown' }],
])('A45 D19 D40 CVE-2025-4143: %s gets a page and no redirect', async (_what, extra) => {
  const { url } = await start();
  const clientId = String((await register(url)).body['client_id']);
  const { status, location, text } = await browse(url, authorizeUrl(url, clientId, extra));
  expect(status).toBe(400);
  expect(location).toBeUndefined();
  expect(text).toContain('This sign-in cannot go on');
});

test('a loopback redirect may use any port (OAuth 2.1 §8.4.2)', async () => {
  const { url } = await start();
  const clientId = String((await register(url)).body['client_id']);
  const { location } = await browse(
    url,
    authorizeUrl(url, clientId, { redirect_uri: 'http://127.0.0.1:50999/callback' }),
  );
  expect(location?.port).toBe('50999');
});

test.each([
  ['a wrong verifier', { code_verifier: 'w'.repeat(43) }],
  ['an empty verifier', { code_verifier: '' }],
  ['another redirect', { redirect_uri: 'https://evil.example/cb' }],
])('A46 D20 D34: %s fails, and spends the code', async (_what, fields) => {
  const running = await start();
  const { redeem } = await signIn(running);
  const failed = await redeem(fields);
  expect(failed.status).toBe(400);
  expect(failed.body['error']).toMatch(/invalid_grant|invalid_request/);
  expect(await redeem()).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
});

test('A47 D20 D37: a code is bound to its client', async () => {
  const running = await start();
  const { redeem } = await signIn(running);
  const other = String((await register(running.url)).body['client_id']);
  expect(await redeem({ client_id: other })).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
});

test('A47 D36: replaying a code revokes what it gave', async () => {
  const running = await start();
  const { redeem, clientId } = await signIn(running);
  const first = await redeem();
  expect((await redeem()).body['error']).toBe('invalid_grant');
  expect(running.ended.size).toBe(1);
  const refreshed = await postForm(`${running.url}/token`, {
    grant_type: 'refresh_token',
    refresh_token: String(first.body['refresh_token']),
    client_id: clientId,
  });
  expect(refreshed).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
});

test('CVE-2025-69196: a code for one resource gives no token for another', async () => {
  const running = await start();
  const { redeem } = await signIn(running);
  const { status, body } = await redeem({ resource: `${running.url}/two/mcp` });
  expect(status).toBe(400);
  expect(body['error']).toBe('invalid_target');
});

test('A18 D21 D47: refresh rotates, and without a replay window reuse of an old one ends the family at once', async () => {
  const running = await start({ refreshReplaySeconds: 0 });
  const { redeem, clientId } = await signIn(running);
  const refresh = (token: unknown) =>
    postForm(`${running.url}/token`, {
      grant_type: 'refresh_token',
      refresh_token: String(token),
      client_id: clientId,
    });
  const first = (await redeem()).body['refresh_token'];
  const second = await refresh(first);
  expect(second.status).toBe(200);
  expect(second.body['refresh_token']).not.toBe(first);
  expect(await refresh(first)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  expect(await refresh(second.body['refresh_token'])).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  });
  expect(running.ended.size).toBe(1);
});

test('a refresh while Entra cannot be asked spends nothing; one that Entra refuses is invalid_grant', async () => {
  const running = await start();
  const { redeem, clientId } = await signIn(running);
  const token = String((await redeem()).body['refresh_token']);
  const refresh = () =>
    postForm(`${running.url}/token`, {
      grant_type: 'refresh_token',
      refresh_token: token,
      client_id: clientId,
    });
  running.renewal.refusal = 'unavailable';
  expect(await refresh()).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } });
  running.renewal.refusal = 'ended';
  expect(await refresh()).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  running.renewal.refusal = undefined;
  expect((await refresh()).status).toBe(200);
});

test('A25 A56 D25: /revoke ends the session, by access token or refresh token, and only for its own client', async () => {
  for (const kind of ['access_token', 'refresh_token']) {
    const running = await start();
    const { redeem, clientId } = await signIn(running);
    const token = String((await redeem()).body[kind]);
    const other = String((await register(running.url)).body['client_id']);
    expect((await postForm(`${running.url}/revoke`, { token, client_id: other })).status).toBe(200);
    expect(running.ended.size).toBe(0);
    expect((await postForm(`${running.url}/revoke`, { token, client_id: clientId })).status).toBe(200);
    expect(running.ended.size).toBe(1);
    expect(running.events.at(-1)).toMatchObject({ event: 'token.revoke', outcome: 'success', clientId });
  }
});

test('A45 D50: an unknown client at /token gets 401 invalid_client, so that it registers again', async () => {
  const { url } = await start();
  const answer = await postForm(`${url}/token`, {
    grant_type: 'authorization_code',
    code: 'x',
    client_id: 'gone',
    code_verifier: verifier,
  });
  expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
});

test.each([
  ['no grant type', {}],
  ['an unknown grant', { grant_type: 'password' }],
  [
    'an unknown code',
    { grant_type: 'authorization_code', code: 'x', redirect_uri: redirect, code_verifier: verifier },
  ],
  ['an unknown refresh token', { grant_type: 'refresh_token', refresh_token: 'x' }],
])('D39: %s at /token is an OAuth error, not a fault', async (_what, fields) => {
  const { url } = await start();
  const clientId = String((await register(url)).body['client_id']);
  const answer = await postForm(`${url}/token`, { client_id: clientId, ...fields });
  expect(answer.status).toBe(400);
  expect(answer.body['error']).toMatch(/^(invalid_request|unsupported_grant_type|invalid_grant)$/);
  expect(answer.headers.get('cache-control')).toBe('no-store');
});

test('A33: both metadata forms are the same and list what works', async () => {
  const { url } = await start();
  const [oauth, openid] = await Promise.all(
    ['oauth-authorization-server', 'openid-configuration'].map(async (form) =>
      (await fetch(`${url}/.well-known/${form}`)).text(),
    ),
  );
  expect(oauth).toBe(openid);
  expect(JSON.parse(oauth ?? '')).toEqual({
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    registration_endpoint: `${url}/register`,
    revocation_endpoint: `${url}/revoke`,
    jwks_uri: `${url}/jwks`,
    response_types_supported: ['code'],
    response_modes_supported: ['form_post', 'fragment', 'query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: [
      'none',
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
    ],
    token_endpoint_auth_signing_alg_values_supported: expect.any(Array),
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    scopes_supported: ['one.use', 'one.write', 'two.use', 'offline_access'],
    revocation_endpoint_auth_methods_supported: [
      'none',
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
    ],
    revocation_endpoint_auth_signing_alg_values_supported: expect.any(Array),
  });
});

test('the key set holds the public key alone', async () => {
  const { url } = await start();
  const { keys } = (await (await fetch(`${url}/jwks`)).json()) as { keys: Record<string, unknown>[] };
  expect(keys).toHaveLength(1);
  expect(keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', use: 'sig' });
  expect(keys[0]).not.toHaveProperty('d');
});

test('A25: registration, sign-in, token and refresh are audited without secrets', async () => {
  const running = await start();
  const { redeem, clientId } = await signIn(running);
  const { body } = await redeem();
  await postForm(`${running.url}/token`, {
    grant_type: 'refresh_token',
    refresh_token: String(body['refresh_token']),
    client_id: clientId,
  });
  expect(running.events.map(({ event, outcome }) => `${event} ${outcome}`)).toEqual([
    'client.register success',
    'authorize success',
    'authorize success',
    'token success',
    'token.refresh success',
  ]);
  expect(running.events[0]).toMatchObject({ clientId, clientName: 'Test', redirectHosts: '127.0.0.1:33418' });
  expect(running.events.at(-1)).toMatchObject({ clientId, tenantId: 'tenant', objectId: 'object' });
  const text = JSON.stringify(running.events);
  for (const secret of [body['access_token'], body['refresh_token'], verifier])
    expect(text).not.toContain(String(secret));
});

test('an error of a client that nobody has checked is shown, and leads nowhere by itself', async () => {
  const { url } = await start();
  const website = 'https://attacker.example/cb';
  const clientId = String((await register(url, { redirect_uris: [website] })).body['client_id']);
  for (const extra of [
    { prompt: 'none' },
    { code_challenge: undefined },
    { resource: 'https://elsewhere.example/mcp' },
    { response_type: 'token' },
    { prompt: 'none', response_mode: 'form_post' },
  ]) {
    const asked = authorizeUrl(url, clientId, { redirect_uri: website, ...extra });
    const answer = await browse(url, asked);
    expect(answer).toMatchObject({ status: 400, location: undefined });
    expect(answer.text).toContain('This sign-in cannot go on');
    expect(answer.text).not.toContain('http-equiv="refresh"');
    expect(answer.text).not.toContain('<form');
  }
});

test('the same client still gets its code, and a program on the computer its errors', async () => {
  const { url } = await start();
  const website = 'https://app.example/cb';
  const clientId = String((await register(url, { redirect_uris: [website, redirect] })).body['client_id']);
  const signedIn = await browse(url, authorizeUrl(url, clientId, { redirect_uri: website }));
  expect(signedIn.location?.searchParams.get('code')).toEqual(expect.any(String));
  const refused = await browse(url, authorizeUrl(url, clientId, { prompt: 'none' }));
  expect(refused.location?.searchParams.get('error')).toBe('interaction_required');
});

test('a client whose document cannot be fetched now is told to try again, not that it is unknown', async () => {
  const { url } = await start();
  const answer = await postForm(`${url}/token`, {
    grant_type: 'authorization_code',
    client_id: 'https://client.example/metadata.json',
    code: 'x',
    code_verifier: verifier,
    redirect_uri: redirect,
  });
  expect(answer).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } });
  expect(answer.headers.get('retry-after')).toBe('5');
});
