import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { createBrowser } from './browser.suite.ts';
import {
  app,
  askToken,
  authorize,
  CONTOSO,
  PARTNER,
  readAnswer,
  redeem,
  refresh,
  S256,
  SECRET,
  signIn,
  SPA_REDIRECT,
  VERIFIER,
  useScenario,
} from './scenario.suite.ts';

const scenario = useScenario();

const MULTI = { client: app.consenting, tenant: 'common' };
const ORIGIN = { origin: 'http://localhost:3002' };
const GUS = 'gus@partner.example';

test.each(['common', 'organizations'])('%s: everybody signs in where they are at home', async (tenant) => {
  // Partner leaves consent to its administrators.
  await signIn(scenario.emulator, {}, { ...MULTI, tenant, username: 'pia@partner.example', forAll: true });
  const home = await signIn(scenario.emulator, {}, { ...MULTI, tenant, username: GUS });
  expect(decodeJwt(home.id_token)).toMatchObject({
    tid: PARTNER,
    oid: '20000000-0000-4000-8000-000000000004',
  });
  expect(decodeJwt(home.id_token)['idp']).toBeUndefined();
  const member = await signIn(scenario.emulator, {}, { ...MULTI, tenant });
  expect(decodeJwt(member.id_token).iss).toBe(`${scenario.emulator.httpsOrigin}/${CONTOSO}/v2.0`);
});

test('a guest: the same person with another oid, reached by one browser session and by one refresh token', async () => {
  const browser = createBrowser();
  const pia = { ...MULTI, username: 'pia@partner.example', forAll: true };
  await signIn(scenario.emulator, { scope: 'openid offline_access profile User.Read' }, pia);
  const { code = '' } = readAnswer(
    await authorize(scenario.emulator, {}, { ...MULTI, username: GUS, browser }),
  );
  const { body: home } = await redeem(scenario.emulator, code, MULTI);
  const guest = await authorize(scenario.emulator, {}, { browser });
  expect(guest.pages).toEqual([]);
  const tokens = await redeem(scenario.emulator, readAnswer(guest)['code'] ?? '');
  expect(decodeJwt(tokens.body.id_token)).toMatchObject({
    tid: CONTOSO,
    oid: '10000000-0000-4000-8000-000000000004',
    idp: `https://sts.windows.net/${PARTNER}/`,
  });
  const there = { client_id: app.consenting, scope: 'openid' };
  const refused = await refresh(scenario.emulator, home.refresh_token, there);
  expect(refused.body).toMatchObject({ error_codes: [65001] });
  await signIn(scenario.emulator, { scope: 'openid' }, { client: app.consenting, username: GUS });
  const { body } = await refresh(scenario.emulator, home.refresh_token, there);
  expect(decodeJwt(body.id_token)).toMatchObject({ tid: CONTOSO });
});

test('domain_hint offers that domain’s people; one that is nobody’s is ignored', async () => {
  const offered = async (hint: string) => {
    const query = new URLSearchParams({
      client_id: app.consenting,
      response_type: 'code',
      redirect_uri: 'http://localhost:3001/auth/callback',
      scope: 'openid',
      domain_hint: hint,
    });
    const page = await createBrowser().get(
      `${scenario.emulator.httpOrigin}/common/oauth2/v2.0/authorize?${query.toString()}`,
    );
    return [...(await page.text()).matchAll(/data-username="([^"]+)"/g)].map(([, name]) => name);
  };
  expect(await offered('partner.example')).toEqual([GUS, 'pia@partner.example']);
  expect((await offered('organizations')).length).toBeGreaterThan(8);
});

test('the tenant by domain is the tenant', async () => {
  const tokens = await signIn(scenario.emulator, {}, { tenant: 'contoso.example' });
  expect(decodeJwt(tokens.id_token)).toMatchObject({ tid: CONTOSO });
});

test('login_hint fills the name in, and a session of somebody else does not answer for it', async () => {
  const browser = createBrowser();
  await authorize(scenario.emulator, {}, { browser });
  const silent = await authorize(
    scenario.emulator,
    { prompt: 'none', login_hint: 'walt@contoso.example' },
    { browser },
  );
  expect(readAnswer(silent)).toMatchObject({ error: 'login_required' });
});

test('ten wrong passwords lock the account, a right one in between starts anew', async () => {
  const attempt = (password: string) => authorize(scenario.emulator, {}, { password });
  for (let tries = 0; tries < 9; tries += 1) await attempt('wrong');
  expect(readAnswer(await attempt('Rita-Passw0rd'))['code']).toBeDefined();
  for (let tries = 0; tries < 10; tries += 1) await attempt('wrong');
  expect((await attempt('Rita-Passw0rd')).text).toContain('AADSTS50053');
});

async function spaTokens() {
  const spa = { client_id: app.spa, redirect_uri: SPA_REDIRECT };
  const { code = '' } = readAnswer(await authorize(scenario.emulator, { ...spa, ...S256 }));
  const form = { grant_type: 'authorization_code', code, code_verifier: VERIFIER, ...spa };
  return askToken(scenario.emulator, form, { headers: ORIGIN });
}

test('a single-page app: PKCE, Origin, CORS, and a refresh token of 24 hours that no refresh prolongs', async () => {
  const first = await spaTokens();
  expect([first.status, first.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
  const renew = (token: string) =>
    askToken(
      scenario.emulator,
      { grant_type: 'refresh_token', refresh_token: token, client_id: app.spa },
      { headers: ORIGIN },
    );
  scenario.aheadMs = 23 * 3_600_000;
  const second = await renew(first.body.refresh_token);
  expect(second.status).toBe(200);
  scenario.aheadMs = 24 * 3_600_000 + 1000;
  expect((await renew(second.body.refresh_token)).body).toMatchObject({ error_codes: [700084] });
  const preflight = await fetch(`${scenario.emulator.httpOrigin}/${CONTOSO}/oauth2/v2.0/token`, {
    method: 'OPTIONS',
  });
  expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
    200,
    'POST, OPTIONS',
  ]);
});

test('password: tokens for a public client, and no way around a page', async () => {
  const ask = (more: Record<string, string>) =>
    askToken(scenario.emulator, {
      grant_type: 'password',
      client_id: app.native,
      username: 'rita@contoso.example',
      password: 'Rita-Passw0rd',
      scope: 'openid profile offline_access User.Read',
      ...more,
    });
  expect((await ask({})).body).toMatchObject({ token_type: 'Bearer', refresh_token: expect.any(String) });
  const code = async (more: Record<string, string>) => (await ask(more)).body.error_codes?.[0];
  expect(await code({ password: 'wrong' })).toBe(50126);
  expect(await code({ username: 'nobody@contoso.example' })).toBe(50034);
  expect(await code({ username: GUS })).toBe(50034);
  expect(await code({ username: 'dora@contoso.example', password: 'Dora-Passw0rd' })).toBe(50057);
  expect(await code({ scope: `api://${app.guarded}/use` })).toBe(50076);
  expect(await code({ client_id: app.web })).toBe(7000218);
  expect(await code({ client_id: app.consenting, client_secret: SECRET })).toBe(65001);
});

test('sign-out calls every app of the session in a frame, with issuer and session', async () => {
  const browser = createBrowser();
  const { code = '' } = readAnswer(await authorize(scenario.emulator, {}, { browser }));
  const { body } = await redeem(scenario.emulator, code);
  const back = encodeURIComponent('http://localhost:3001/auth/callback');
  const page = await browser.get(
    `${scenario.emulator.httpOrigin}/${CONTOSO}/oauth2/v2.0/logout?post_logout_redirect_uri=${back}&state=x%20y`,
  );
  const text = (await page.text()).replaceAll('&amp;', '&');
  const frame = new URL(/<iframe hidden src="([^"]+)"/.exec(text)?.[1] ?? '');
  expect(frame.origin + frame.pathname).toBe('http://localhost:3001/signed-out');
  expect(Object.fromEntries(frame.searchParams)).toEqual({
    iss: `${scenario.emulator.httpsOrigin}/${CONTOSO}/v2.0`,
    sid: decodeJwt(body.id_token)['sid'],
  });
  expect(page.headers.get('content-security-policy')).toContain('frame-src http://localhost:3001;');
  expect(text).toContain('href="http://localhost:3001/auth/callback?state=x+y"');
  expect(readAnswer(await authorize(scenario.emulator, { prompt: 'none' }, { browser }))).toMatchObject({
    error: 'login_required',
  });
});
