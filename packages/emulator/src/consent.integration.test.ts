import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { createBrowser } from './browser.suite.ts';
import { createEmulator } from './emulator.ts';
import {
  app,
  askToken,
  authorize,
  CONTOSO,
  PARTNER,
  readAnswer,
  REDIRECT,
  scenarioSeed,
  SECRET,
  signIn,
  walk,
  type Walk,
  useScenario,
} from './scenario.suite.ts';

const scenario = useScenario();

const CONSENTING = { client: app.consenting };
const ADA = { username: 'ada@contoso.example' };
const scope = 'openid profile User.Read';

test('the page lists what is asked, and is not shown again once accepted', async () => {
  const browser = createBrowser();
  const first = await authorize(scenario.emulator, { scope }, { ...CONSENTING, browser });
  expect(first.pages).toEqual(['login', 'consent']);
  expect(readAnswer(first)['code']).toBeDefined();
  expect((await authorize(scenario.emulator, { scope }, { ...CONSENTING, browser })).pages).toEqual([]);
  const more = await authorize(
    scenario.emulator,
    { scope: `${scope} Mail.Read` },
    { ...CONSENTING, browser },
  );
  expect(more.pages).toEqual(['consent']);
  const other = await authorize(
    scenario.emulator,
    { scope },
    { ...CONSENTING, username: 'walt@contoso.example' },
  );
  expect(other.pages).toEqual(['login', 'consent']);
});

test('prompt=consent asks again, also for an app that has everything', async () => {
  const browser = createBrowser();
  expect((await authorize(scenario.emulator, { scope, prompt: 'consent' }, { browser })).pages).toEqual([
    'login',
    'consent',
  ]);
  expect((await authorize(scenario.emulator, { scope, prompt: 'consent' }, { browser })).pages).toEqual([
    'consent',
  ]);
});

test('declined is access_denied, and nothing was consented', async () => {
  const declined = await authorize(scenario.emulator, { scope }, { ...CONSENTING, declines: true });
  expect(readAnswer(declined)).toMatchObject({ error: 'access_denied' });
  expect((await authorize(scenario.emulator, { scope }, CONSENTING)).pages).toEqual(['login', 'consent']);
});

test('an administrator consents for everybody; whoever is none cannot by posting the tick', async () => {
  await authorize(scenario.emulator, { scope }, { ...CONSENTING, forAll: true });
  expect(
    (await authorize(scenario.emulator, { scope }, { ...CONSENTING, username: 'walt@contoso.example' }))
      .pages,
  ).toContain('consent');
  await authorize(scenario.emulator, { scope }, { ...CONSENTING, ...ADA, forAll: true });
  expect(
    (await authorize(scenario.emulator, { scope }, { ...CONSENTING, username: 'otto@contoso.example' }))
      .pages,
  ).toEqual(['login']);
});

test('silently it is AADSTS65001, and a token for something never consented too', async () => {
  const { refresh_token } = await signIn(scenario.emulator, { scope: `${scope} offline_access` }, CONSENTING);
  const form = {
    grant_type: 'refresh_token',
    refresh_token,
    client_id: app.consenting,
    client_secret: SECRET,
  };
  const refused = await askToken(scenario.emulator, { ...form, scope: 'Mail.Read' });
  expect(refused).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant', suberror: 'consent_required', error_codes: [65001] },
  });
  expect((await askToken(scenario.emulator, { ...form, scope: 'User.Read' })).status).toBe(200);
});

async function adminConsent(params: Record<string, string>, how: Walk, version: 1 | 2 = 2, tenant = CONTOSO) {
  const query = new URLSearchParams({
    client_id: app.consenting,
    redirect_uri: REDIRECT,
    state: 's',
    ...params,
  });
  const path = version === 2 ? 'v2.0/adminconsent' : 'adminconsent';
  const browser = createBrowser();
  return walk(
    await browser.get(`${scenario.emulator.httpOrigin}/${tenant}/${path}?${query.toString()}`),
    browser,
    how,
  );
}

const GRAPH_DEFAULT = { scope: 'https://graph.microsoft.com/.default' };

test('admin consent gives everybody the delegated permissions, and the app its own', async () => {
  const ask = () =>
    askToken(scenario.emulator, {
      grant_type: 'client_credentials',
      client_id: app.consenting,
      client_secret: SECRET,
      ...GRAPH_DEFAULT,
    });
  expect(decodeJwt((await ask()).body.access_token)['roles']).toBeUndefined();
  const done = await adminConsent(GRAPH_DEFAULT, ADA);
  expect(done.pages).toEqual(['login', 'consent']);
  expect(readAnswer(done)).toEqual({ admin_consent: 'True', tenant: CONTOSO, state: 's', ...GRAPH_DEFAULT });
  expect(decodeJwt((await ask()).body.access_token)['roles']).toEqual(['User.Read.All']);
  const person = await authorize(scenario.emulator, { scope: 'User.Read' }, CONSENTING);
  expect(person.pages).toEqual(['login']);
});

test('admin consent declined, by somebody who is none, without scope, and v1 which has none', async () => {
  expect(readAnswer(await adminConsent(GRAPH_DEFAULT, { ...ADA, declines: true }))).toMatchObject({
    error: 'consent_required',
    error_subcode: 'cancel',
    error_description: expect.stringContaining('AADSTS65004'),
    state: 's',
  });
  expect((await adminConsent(GRAPH_DEFAULT, {})).text).toContain('AADSTS90094');
  expect((await adminConsent({}, ADA)).text).toContain('AADSTS900144');
  expect(readAnswer(await adminConsent({}, ADA, 1))).toEqual({
    admin_consent: 'True',
    tenant: CONTOSO,
    state: 's',
  });
  expect(
    (await adminConsent({ ...GRAPH_DEFAULT, redirect_uri: 'https://evil.example/' }, ADA)).text,
  ).toContain('AADSTS50011');
});

test('a multi-tenant app is unknown in the other tenant until an administrator there consents', async () => {
  const form = {
    grant_type: 'client_credentials',
    client_id: app.consenting,
    client_secret: SECRET,
    ...GRAPH_DEFAULT,
  };
  expect((await askToken(scenario.emulator, form, { tenant: PARTNER })).body).toMatchObject({
    error_codes: [700016],
  });
  const asked = await authorize(
    scenario.emulator,
    { scope },
    { ...CONSENTING, tenant: PARTNER, username: 'gus@partner.example' },
  );
  expect([asked.pages, /AADSTS\d+/.exec(asked.text)?.[0]]).toEqual([['login', 'request'], 'AADSTS90095']);
  await adminConsent(GRAPH_DEFAULT, { username: 'pia@partner.example' }, 2, PARTNER);
  const { body } = await askToken(scenario.emulator, form, { tenant: PARTNER });
  expect(decodeJwt(body.access_token)).toMatchObject({ tid: PARTNER, roles: ['User.Read.All'] });
  expect(decodeJwt(body.access_token).sub).not.toBe(
    scenarioSeed.tenants[0]?.apps.find((each) => each.clientId === app.consenting)?.servicePrincipalId,
  );
});

test('a pre-authorized client never asks; an API that knows its client is consented along with it', async () => {
  const [contoso, ...others] = scenarioSeed.tenants;
  if (contoso === undefined) throw new Error('no tenant');
  const change = (clientId: string, more: object) => (each: (typeof contoso.apps)[number]) =>
    each.clientId === clientId ? { ...each, ...more } : each;
  const preAuthorizedApplications = [{ clientId: app.consenting, scopes: ['use'] }];
  const knowing = { knownClientApplications: [app.consenting], consent: 'required' as const };
  const apps = contoso.apps
    .map(change(app.legacy, { preAuthorizedApplications }))
    .map(change(app.middle, knowing));
  const own = await createEmulator({ seed: { tenants: [{ ...contoso, apps }, ...others] } });
  try {
    expect((await authorize(own, { scope: `api://${app.legacy}/use` }, CONSENTING)).pages).toEqual(['login']);
    const { text } = await authorize(
      own,
      { scope: `api://${app.middle}/use` },
      { ...CONSENTING, username: 'walt@contoso.example', password: 'wrong' },
    );
    expect(text).toContain('AADSTS50126');
    const both = await signIn(own, { scope: `api://${app.middle}/use` }, CONSENTING);
    const onward = await askToken(own, {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      requested_token_use: 'on_behalf_of',
      client_id: app.middle,
      client_secret: SECRET,
      scope: 'https://graph.microsoft.com/User.Read',
      assertion: both.access_token,
    });
    expect(onward.status, JSON.stringify(onward.body)).toBe(200);
  } finally {
    await own.close();
  }
});
