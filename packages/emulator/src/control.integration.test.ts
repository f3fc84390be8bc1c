import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  authorizeUrl,
  createBrowser,
  postToken,
  REDIRECT,
  readRedirect,
  signInForTokens,
} from './browser.suite.ts';
import {
  CONTOSO_TENANT_ID as TENANT,
  createEmulator,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  SNIPPETS_API_URI,
} from './emulator.ts';

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

const post = (form: Record<string, string>) => postToken(emulator, form);
const getJson = async (path: string) =>
  (await (await fetch(emulator.httpOrigin + path)).json()) as Record<string, unknown>;
const signIn = (scope: string, username?: string) => signInForTokens(emulator, scope, username);
const me = (token: string | undefined, path = '/v1.0/me') =>
  fetch(emulator.httpOrigin + path, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
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
