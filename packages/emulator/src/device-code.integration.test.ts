import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { createBrowser } from './browser.suite.ts';
import { app, askToken, CONTOSO, SECRET, uri, walk, type Walk, useScenario } from './scenario.suite.ts';

const scenario = useScenario();

const URN = 'urn:ietf:params:oauth:grant-type:device_code';

async function askCodes(form: Record<string, string> = {}, path = 'oauth2/v2.0/devicecode', method = 'POST') {
  const params = new URLSearchParams({
    client_id: app.native,
    scope: 'openid profile offline_access User.Read',
    ...form,
  });
  const url = `${scenario.emulator.httpOrigin}/${CONTOSO}/${path}`;
  const response =
    method === 'POST'
      ? await fetch(url, { method, body: params })
      : await fetch(`${url}?${params.toString()}`);
  return (await response.json()) as Record<string, string>;
}

const poll = (deviceCode = '', more: Record<string, string> = {}) =>
  askToken(scenario.emulator, { grant_type: URN, client_id: app.native, device_code: deviceCode, ...more });

async function type(otc = '', how: Walk = {}) {
  const browser = createBrowser();
  return walk(await browser.post(`${scenario.emulator.httpOrigin}/devicelogin`, { otc }), browser, how);
}

test('the answer has what a device shows, and the page is one that any browser opens', async () => {
  const codes = await askCodes();
  expect(codes).toEqual({
    user_code: expect.stringMatching(/^[B-DF-HJ-NP-TV-Z2-9]{9}$/),
    device_code: expect.any(String),
    verification_uri: `${scenario.emulator.httpOrigin}/devicelogin`,
    expires_in: 900,
    interval: 5,
    message: expect.stringContaining(codes['user_code'] ?? '?'),
  });
  const page = await createBrowser().get(`${codes['verification_uri']}?otc="><b>`);
  expect(await page.text()).toContain('value="&quot;&gt;&lt;b&gt;"');
});

test('v1 answers GET too, with its own names and strings', async () => {
  const v1 = { resource: 'https://graph.microsoft.com', client_id: app.native };
  expect(await askCodes(v1, 'oauth2/devicecode', 'GET')).toMatchObject({
    verification_url: `${scenario.emulator.httpOrigin}/devicelogin`,
    expires_in: '900',
    interval: '5',
  });
});

test.each([[URN], ['device_code']])('grant %s: pending, then tokens once', async (grantType) => {
  const { user_code, device_code } = await askCodes();
  const pending = await poll(device_code, { grant_type: grantType });
  expect(pending).toMatchObject({
    status: 400,
    body: { error: 'authorization_pending', error_codes: [70016] },
  });
  const done = await type(user_code?.toLowerCase());
  expect(done.pages).toEqual(['login', 'confirm']);
  expect(done.text).toContain('You have signed in to the native application on your device');
  const { status, body } = await poll(device_code, { grant_type: grantType, client_info: '1' });
  expect(status, JSON.stringify(body)).toBe(200);
  expect(decodeJwt(body.id_token)).toMatchObject({ preferred_username: 'rita@contoso.example' });
  expect([body['scope'], typeof body.refresh_token, typeof body['client_info']]).toEqual([
    'openid profile User.Read',
    'string',
    'string',
  ]);
  expect((await poll(device_code)).body).toMatchObject({ error_codes: [54005] });
  expect((await type(user_code)).text).toContain('AADSTS70018');
});

test('cancel tells the device; a second factor is asked for on the page', async () => {
  const declined = await askCodes();
  expect((await type(declined['user_code'], { declines: true })).text).toContain('Sign-in cancelled');
  expect(await poll(declined['device_code'])).toMatchObject({
    status: 400,
    body: { error: 'authorization_declined' },
  });
  const guarded = await askCodes({ scope: `openid ${uri(app.guarded)}/use` });
  expect((await type(guarded['user_code'])).pages).toEqual(['login', 'factor', 'confirm']);
  expect((await poll(guarded['device_code'])).status).toBe(200);
});

test('a block leaves the device waiting: only the person sees AADSTS53003', async () => {
  const codes = await askCodes({ scope: `openid ${uri(app.blocked)}/use` });
  expect((await type(codes['user_code'])).text).toContain('AADSTS53003');
  expect((await poll(codes['device_code'])).body).toMatchObject({ error: 'authorization_pending' });
});

test('bad and late codes, another client, and a client that is not public', async () => {
  const { device_code, user_code } = await askCodes();
  expect((await poll('d.unknown')).body).toMatchObject({
    error: 'bad_verification_code',
    error_codes: [70018],
  });
  expect((await poll(device_code, { client_id: app.web })).body).toMatchObject({ error_codes: [7000218] });
  const proven = await poll(device_code, { client_id: app.web, client_secret: SECRET });
  expect(proven.body).toMatchObject({ error_codes: [70018] });
  scenario.aheadMs = 901_000;
  expect((await poll(device_code)).body).toMatchObject({ error: 'expired_token', error_codes: [70020] });
  expect((await type(user_code)).text).toContain('AADSTS70019');
});
