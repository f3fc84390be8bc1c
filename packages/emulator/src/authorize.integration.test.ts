import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { authorizeUrl, createBrowser, readLoginPage, readRedirect } from './browser.suite.ts';
import {
  CONTOSO_TENANT_ID as TENANT,
  createEmulator,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
} from './emulator.ts';

const REDIRECT = 'http://localhost:3001/auth/callback';
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
const valid = {
  client_id: GATEWAY_CLIENT_ID,
  response_type: 'code',
  redirect_uri: REDIRECT,
  scope: 'openid profile',
  state: 's',
};
let emulator: Emulator;

beforeAll(async () => {
  const [tenant] = defaultSeed.tenants;
  if (tenant === undefined) throw new Error('no tenant');
  const apps = tenant.apps.map((app) =>
    app.clientId === GATEWAY_CLIENT_ID ? { ...app, assignmentRequired: true } : app,
  );
  emulator = await createEmulator({ seed: { tenants: [{ ...tenant, apps }] } });
});
beforeEach(() => emulator.control.reset());
afterAll(() => emulator.close());

const url = (changes: Record<string, string | undefined> = {}, tenant = TENANT) => {
  const params = Object.entries({ ...valid, ...changes }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return authorizeUrl(emulator, tenant, Object.fromEntries(params));
};

test.each([
  ['unknown redirect', { redirect_uri: 'https://evil.example/auth/callback' }, TENANT, 'AADSTS50011'],
  [
    'other path of a loopback redirect',
    { redirect_uri: 'http://localhost:3001/Auth/callback' },
    TENANT,
    'AADSTS50011',
  ],
  ['the other loopback name', { redirect_uri: 'http://127.0.0.1:3001/auth/callback' }, TENANT, 'AADSTS50011'],
  ['unknown app', { client_id: '00000000-0000-4000-8000-000000000000' }, TENANT, 'AADSTS700016'],
  ['no client', { client_id: undefined }, TENANT, 'AADSTS900144'],
  ['unknown tenant', {}, 'nowhere.example', 'AADSTS90002'],
  ['single-tenant app at common', {}, 'common', 'AADSTS50194'],
])('%s stays on the page and never redirects', async (_, changes, tenant, code) => {
  const response = await createBrowser().get(url(changes, tenant));
  expect(response.status).toBe(400);
  expect(response.headers.get('location')).toBeNull();
  expect(await response.text()).toContain(code);
});

test.each([
  ['no scope', { scope: undefined }, 'invalid_request', 'AADSTS900144'],
  [
    'implicit flow',
    { response_type: 'token', response_mode: 'query' },
    'unsupported_response_type',
    'AADSTS700051',
  ],
  ['a scope Graph does not have', { scope: 'mcp.read' }, 'invalid_client', 'AADSTS650053'],
  ['a resource nobody has', { scope: 'api://nobody/read' }, 'invalid_resource', 'AADSTS500011'],
  ['a scope with a forbidden character', { scope: 'open"id' }, 'invalid_scope', 'AADSTS70011'],
  ['a short challenge', { code_challenge: 'short' }, 'invalid_request', 'AADSTS501491'],
  [
    'an unknown challenge method',
    { code_challenge: CHALLENGE, code_challenge_method: 'S512' },
    'invalid_request',
    'AADSTS90023',
  ],
  ['an unknown prompt', { prompt: 'dance' }, 'invalid_request', 'AADSTS90023'],
  ['no session for prompt=none', { prompt: 'none' }, 'login_required', 'AADSTS50058'],
])('%s goes back to the client', async (_, changes, error, code) => {
  const redirect = readRedirect(await createBrowser().get(url(changes)));
  expect(redirect.origin + redirect.pathname).toBe(REDIRECT);
  expect(Object.fromEntries(redirect.searchParams)).toMatchObject({ error, state: 's' });
  expect(redirect.searchParams.get('error_description')).toMatch(
    new RegExp(
      `^${code}: .+ Trace ID: [0-9a-f-]{36} Correlation ID: [0-9a-f-]{36} Timestamp: \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\dZ$`,
    ),
  );
});

test('a parameter given twice is refused on the page', async () => {
  const response = await createBrowser().get(`${url()}&client_id=${GATEWAY_CLIENT_ID}`);
  expect(await response.text()).toContain('AADSTS9002313');
});

test('the page has a tile per person, the stable ids, no script, and escapes what it shows', async () => {
  const html = await (await createBrowser().get(url({ login_hint: '"><script>x</script>' }))).text();
  expect(html).not.toContain('<script');
  expect(html.match(/data-username=/g)).toHaveLength(defaultSeed.tenants[0]?.users.length ?? 0);
  for (const id of ['i0116', 'i0118', 'idSIButton9']) expect(html).toContain(`id="${id}"`);
});

test('a password signs in; a wrong one, an unknown name and a disabled account stay on the page', async () => {
  const browser = createBrowser();
  const page = readLoginPage(await (await browser.get(url())).text());
  const attempt = (loginfmt: string, passwd: string) =>
    browser.post(page.action, { ctx: page.ctx, loginfmt, passwd });
  for (const [name, password, code] of [
    ['rita@contoso.example', 'wrong', 'AADSTS50126'],
    ['nobody@contoso.example', '', 'AADSTS50034'],
    ['dora@contoso.example', 'Dora-Passw0rd', 'AADSTS50057'],
  ] as const) {
    const refused = await attempt(name, password);
    expect([refused.status, refused.headers.get('set-cookie')]).toEqual([200, null]);
    expect(await refused.text()).toContain(code);
  }
  expect(
    readRedirect(await attempt('RITA@contoso.example', 'Rita-Passw0rd')).searchParams.get('code'),
  ).toMatch(/^1\./);
});

test('Cancel is access_denied with AADSTS65004, and a page that is not ours is AADSTS50089', async () => {
  const browser = createBrowser();
  const page = readLoginPage(await (await browser.get(url())).text());
  const redirect = readRedirect(await browser.post(page.action, { ctx: page.ctx, cancel: '1' }));
  expect(redirect.searchParams.get('error')).toBe('access_denied');
  expect(redirect.searchParams.get('error_description')).toContain('AADSTS65004');
  expect(
    await (await browser.post(page.action, { ctx: 'f.made-up', account: 'rita@contoso.example' })).text(),
  ).toContain('AADSTS50089');
});

test('a second authorize is silent, unless a prompt, another hint or a revocation asks for the page', async () => {
  const browser = createBrowser();
  await browser.signIn(url(), 'rita@contoso.example');
  const isSilent = async (changes: Record<string, string>) =>
    (await browser.get(url(changes))).status === 302;
  expect(await isSilent({})).toBe(true);
  expect(await isSilent({ prompt: 'none' })).toBe(true);
  expect(await isSilent({ login_hint: 'rita@contoso.example' })).toBe(true);
  expect(await isSilent({ login_hint: 'walt@contoso.example' })).toBe(false);
  for (const prompt of ['select_account', 'login', 'consent']) expect(await isSilent({ prompt })).toBe(false);
  emulator.control.revokeSessions('rita@contoso.example');
  expect(await isSilent({})).toBe(false);
});

test('prompt=login offers no tile and takes none', async () => {
  const browser = createBrowser();
  const html = await (await browser.get(url({ prompt: 'login' }))).text();
  expect(html).not.toContain('data-username');
  const page = readLoginPage(html);
  const forged = await browser.post(page.action, { ctx: page.ctx, account: 'rita@contoso.example' });
  expect([forged.status, forged.headers.get('set-cookie')]).toEqual([200, null]);
});

test('a person without assignment sees AADSTS50105 on the page, and silently it is interaction_required', async () => {
  const browser = createBrowser();
  const refused = await browser.signIn(url(), 'nora@contoso.example');
  expect(await refused.text()).toContain('AADSTS50105');
  const silent = readRedirect(await browser.get(url({ prompt: 'none' })));
  expect(silent.searchParams.get('error')).toBe('interaction_required');
});

test('a loopback redirect comes back on the port it asked for, and a pathless one with a slash', async () => {
  emulator.control.addRedirectUri(GATEWAY_CLIENT_ID, 'http://127.0.0.1');
  const other = readRedirect(
    await createBrowser().signIn(url({ redirect_uri: 'http://127.0.0.1:4711' }), 'rita@contoso.example'),
  );
  expect(other.href).toMatch(/^http:\/\/127\.0\.0\.1:4711\/\?code=/);
});

test('response_mode fragment and form_post', async () => {
  const fragment = readRedirect(
    await createBrowser().signIn(url({ response_mode: 'fragment' }), 'rita@contoso.example'),
  );
  expect(fragment.search).toBe('');
  expect(new URLSearchParams(fragment.hash.slice(1)).get('state')).toBe('s');
  const posted = await createBrowser().signIn(
    url({ response_mode: 'form_post', state: '"><b>' }),
    'rita@contoso.example',
  );
  const html = await posted.text();
  expect(html).toContain(`method="post" action="${REDIRECT}"`);
  expect(html).toContain('name="state" value="&quot;&gt;&lt;b&gt;"');
  expect(html).toContain('<noscript>');
});

test('both origins sign in to the same session state, and client_info comes when asked', async () => {
  const redirect = readRedirect(
    await createBrowser().signIn(url({ client_info: '1' }), 'gus@partner.example'),
  );
  const info: unknown = JSON.parse(
    Buffer.from(redirect.searchParams.get('client_info') ?? '', 'base64url').toString(),
  );
  expect(info).toEqual({
    uid: '20000000-0000-4000-8000-000000000004',
    utid: '6d9b2e3f-1a4c-4d7e-8f80-213a4b5c6d72',
  });
});

test('logout ends the session, and goes back only to a registered address', async () => {
  const browser = createBrowser();
  await browser.signIn(url(), 'rita@contoso.example');
  const leave = (to: string) =>
    browser.get(
      `${emulator.httpOrigin}/${TENANT}/oauth2/v2.0/logout?post_logout_redirect_uri=${encodeURIComponent(to)}`,
    );
  expect((await leave('https://evil.example/')).headers.get('location')).toBeNull();
  expect((await leave(REDIRECT)).headers.get('location')).toBe(REDIRECT);
  expect((await browser.get(url())).status).toBe(200);
});
