/** Every way MSAL Node has to acquire a token, unpatched, against the emulator over https. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import tls from 'node:tls';
import {
  type AccountInfo,
  ConfidentialClientApplication,
  CryptoProvider,
  InteractionRequiredAuthError,
  PublicClientApplication,
} from '@azure/msal-node';
import {
  CONTOSO_TENANT_ID as TENANT,
  createAuthority,
  createEmulator,
  createIssued,
  createSelfSigned,
  type Emulator,
  FACTOR_CODE,
  PARTNER_TENANT_ID,
  type Seed,
} from '@valetkey/entra-emulator';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createBrowser } from '../../packages/emulator/src/browser.suite.ts';
import {
  app,
  readAnswer,
  REDIRECT,
  scenarioSeed,
  SECRET,
  uri,
  walk,
  type Walk,
} from '../../packages/emulator/src/scenario.suite.ts';
import { launchChromium, openPersonsPage } from '../support/chromium.ts';

const trustedBefore = tls.getCACertificates('default');
const authority = createAuthority(Date.now());
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator({ seed: withTrustedSubject(scenarioSeed) });
  tls.setDefaultCACertificates([...trustedBefore, emulator.caCertificatePem]);
});
beforeEach(() => emulator.control.reset());
afterAll(async () => {
  tls.setDefaultCACertificates(trustedBefore);
  await emulator.close();
});

/** The blueprint's app accepts any certificate that this authority issues to one name. */
function withTrustedSubject(seed: Seed): Seed {
  const trustedSubjects = [
    { subjectName: 'blueprint.contoso.example', authorityPem: authority.certificatePem },
  ];
  const tenants = seed.tenants.map((tenant) => ({
    ...tenant,
    apps: tenant.apps.map((each) => (each.clientId === app.blueprint ? { ...each, trustedSubjects } : each)),
  }));
  return { tenants };
}

const auth = (clientId: string, tenant = TENANT) => ({
  clientId,
  authority: `${emulator.authorityHost}/${tenant}`,
  knownAuthorities: [new URL(emulator.authorityHost).host],
});

const confidential = (
  clientId: string = app.web,
  more: Record<string, unknown> = { clientSecret: SECRET },
  tenant?: string,
) => new ConfidentialClientApplication({ auth: { ...auth(clientId, tenant), ...more } });

/** By code, as a web app does it. */
async function signIn(
  client: ConfidentialClientApplication,
  scopes: string[],
  asked: { readonly claims?: string; readonly person?: Walk } = {},
) {
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
  const request = {
    scopes,
    redirectUri: REDIRECT,
    ...(asked.claims === undefined ? {} : { claims: asked.claims }),
  };
  const url = await client.getAuthCodeUrl({
    ...request,
    nonce: 'the-nonce',
    codeChallenge: challenge,
    codeChallengeMethod: 'S256',
    responseMode: 'query',
  });
  const browser = createBrowser();
  const { code = '' } = readAnswer(await walk(await browser.get(url), browser, asked.person));
  return client.acquireTokenByCode({ ...request, code, codeVerifier: verifier, nonce: 'the-nonce' });
}

function accountOf({ account }: { readonly account: AccountInfo | null }): AccountInfo {
  if (account === null) throw new Error('no account');
  return account;
}

test('judge @azure/msal-node 7: authorization code, silent, multi-resource refresh', async () => {
  const client = confidential();
  const first = await signIn(client, ['User.Read']);
  const account = accountOf(first);
  expect((await client.acquireTokenSilent({ account, scopes: ['User.Read'] })).fromCache).toBe(true);
  const other = await client.acquireTokenSilent({ account, scopes: [`${uri(app.middle)}/use`] });
  expect(decodeJwt(other.accessToken)).toMatchObject({ aud: app.middle, scp: 'use' });
  const forced = await client.acquireTokenSilent({ account, scopes: ['User.Read'], forceRefresh: true });
  expect([forced.fromCache, forced.accessToken === first.accessToken]).toEqual([false, false]);
});

test('judge @azure/msal-node 7: interactive in Chromium', async () => {
  const chromium = await launchChromium(['--ignore-certificate-errors']);
  try {
    const client = new PublicClientApplication({ auth: auth(app.native) });
    const page = await openPersonsPage(chromium);
    const openBrowser = async (url: string) => {
      await page.goto(url);
      await page.locator('#i0116').fill('rita@contoso.example');
      await page.locator('#i0118').fill('Rita-Passw0rd');
      await page.locator('#idSIButton9').click();
      await page.locator('#idTxtBx_SAOTCC_OTC').fill(FACTOR_CODE);
      await page.locator('#idSubmit_SAOTCC_Continue').click();
    };
    const result = await client.acquireTokenInteractive({ scopes: [`${uri(app.guarded)}/use`], openBrowser });
    expect(decodeJwt(result.accessToken)).toMatchObject({ aud: app.guarded, azp: app.native, azpacr: '0' });
    expect(result.account?.username).toBe('rita@contoso.example');
    const silent = await client.acquireTokenSilent({
      account: accountOf(result),
      scopes: ['User.Read'],
    });
    expect(decodeJwt(silent.accessToken)).toMatchObject({ amr: ['pwd', 'mfa'] });
  } finally {
    await chromium.close();
  }
});

test('judge @azure/msal-node 7: interactive, cancelled in Chromium', async () => {
  const chromium = await launchChromium(['--ignore-certificate-errors']);
  try {
    const client = new PublicClientApplication({ auth: auth(app.native) });
    const page = await openPersonsPage(chromium);
    const openBrowser = async (url: string) => {
      await page.goto(url);
      await page.locator('#idBtn_Back').click();
    };
    const refused = client.acquireTokenInteractive({ scopes: ['User.Read'], openBrowser });
    await expect(refused).rejects.toMatchObject({ errorCode: 'access_denied' });
  } finally {
    await chromium.close();
  }
});

test('judge @azure/msal-node 7: device code', async () => {
  const client = new PublicClientApplication({ auth: auth(app.native) });
  const result = await client.acquireTokenByDeviceCode({
    scopes: ['User.Read'],
    deviceCodeCallback: ({ userCode, verificationUri, message }) => {
      expect(message).toContain(userCode);
      const browser = createBrowser();
      void browser.post(verificationUri, { otc: userCode }).then((page) => walk(page, browser));
    },
  });
  expect(result?.account?.username).toBe('rita@contoso.example');
  expect(decodeJwt(result?.accessToken ?? '')).toMatchObject({ appid: app.native, appidacr: '0' });
});

test('judge @azure/msal-node 7: device code, declined', async () => {
  const client = new PublicClientApplication({ auth: auth(app.native) });
  const refused = client.acquireTokenByDeviceCode({
    scopes: ['User.Read'],
    deviceCodeCallback: ({ userCode, verificationUri }) => {
      const browser = createBrowser();
      const how = { declines: true };
      void browser.post(verificationUri, { otc: userCode }).then((page) => walk(page, browser, how));
    },
  });
  await expect(refused).rejects.toMatchObject({
    errorMessage: expect.stringContaining('authorization_declined'),
  });
});

test('judge @azure/msal-node 7: on-behalf-of, with a claims challenge from downstream', async () => {
  const caller = confidential();
  const middle = confidential(app.middle);
  const toMiddle = [`${uri(app.middle)}/use`];
  const first = await signIn(caller, toMiddle);
  const graph = await middle.acquireTokenOnBehalfOf({
    oboAssertion: first.accessToken,
    scopes: ['User.Read'],
  });
  expect(decodeJwt(graph?.accessToken ?? '')).toMatchObject({
    appid: app.middle,
    scp: expect.stringContaining('User.Read'),
  });
  const scopes = [`${uri(app.guarded)}/use`];
  const refused = await middle
    .acquireTokenOnBehalfOf({ oboAssertion: first.accessToken, scopes })
    .catch((problem: unknown) => problem);
  expect(refused).toBeInstanceOf(InteractionRequiredAuthError);
  const { claims } = refused as InteractionRequiredAuthError;
  const second = await signIn(caller, toMiddle, { claims });
  const onward = await middle.acquireTokenOnBehalfOf({ oboAssertion: second.accessToken, scopes });
  expect(decodeJwt(onward?.accessToken ?? '')).toMatchObject({ aud: app.guarded, azp: app.middle });
});

const toLegacy = { scopes: [`${uri(app.legacy)}/.default`] };

test('judge @azure/msal-node 7: client credentials with a secret', async () => {
  const result = await confidential().acquireTokenByClientCredential(toLegacy);
  expect(decodeJwt(result?.accessToken ?? '')).toMatchObject({ appid: app.web, appidacr: '1' });
  const wrong = confidential(app.web, { clientSecret: 'wrong' });
  await expect(wrong.acquireTokenByClientCredential(toLegacy)).rejects.toThrow('AADSTS7000215');
});

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const privateKey = keys.privateKey.export({ type: 'pkcs8', format: 'pem' });
const thumbprintSha256 = (pem: string) =>
  createHash('sha256')
    .update(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64'))
    .digest('hex');

test('judge @azure/msal-node 7: client credentials with a certificate', async () => {
  const pem = createSelfSigned('web', keys, Date.now());
  const client = confidential(app.web, {
    clientCertificate: { thumbprintSha256: thumbprintSha256(pem), privateKey },
  });
  await expect(client.acquireTokenByClientCredential(toLegacy)).rejects.toThrow('AADSTS700027');
  emulator.control.addCertificate(app.web, pem);
  const result = await client.acquireTokenByClientCredential(toLegacy);
  expect(decodeJwt(result?.accessToken ?? '')).toMatchObject({ appidacr: '2' });
});

test('judge @azure/msal-node 7: client credentials with a certificate by subject name and issuer', async () => {
  const ask = (subject: string, issuer = authority) => {
    const pem = createIssued(subject, keys, issuer, Date.now());
    const clientCertificate = { thumbprintSha256: thumbprintSha256(pem), privateKey, x5c: pem };
    return confidential(app.blueprint, { clientCertificate }).acquireTokenByClientCredential(toLegacy);
  };
  const result = await ask('blueprint.contoso.example');
  expect(decodeJwt(result?.accessToken ?? '')).toMatchObject({ appid: app.blueprint, appidacr: '2' });
  await expect(ask('other.contoso.example')).rejects.toThrow('AADSTS700027');
  await expect(ask('blueprint.contoso.example', createAuthority(Date.now()))).rejects.toThrow('AADSTS700027');
});

test('judge @azure/msal-node 7: client credentials with an assertion of a managed identity', async () => {
  const subject = '77aa88bb-99cc-4ddd-8eee-000000000001';
  const audience = 'api://AzureADTokenExchange';
  const clientAssertion = () => emulator.control.createManagedIdentityToken(subject, audience);
  const client = confidential(app.web, { clientAssertion });
  await expect(client.acquireTokenByClientCredential(toLegacy)).rejects.toThrow('AADSTS700211');
  emulator.control.addFederatedCredential(app.web, { issuer: '{issuer}', subject, audience });
  const result = await client.acquireTokenByClientCredential(toLegacy);
  expect(decodeJwt(result?.accessToken ?? '')).toMatchObject({ appidacr: '2' });
});

test('judge @azure/msal-node 7: refresh token', async () => {
  const client = confidential();
  await signIn(client, ['User.Read']);
  const cache = JSON.parse(client.getTokenCache().serialize()) as {
    RefreshToken: Record<string, { secret: string }>;
  };
  const refreshToken = Object.values(cache.RefreshToken)[0]?.secret ?? '';
  const fresh = await confidential().acquireTokenByRefreshToken({
    refreshToken,
    scopes: ['User.Read'],
    forceCache: true,
  });
  expect(fresh?.account?.username).toBe('rita@contoso.example');
});

test('judge @azure/msal-node 7: username and password', async () => {
  const client = new PublicClientApplication({ auth: auth(app.native) });
  const person = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
  const result = await client.acquireTokenByUsernamePassword({ scopes: ['User.Read'], ...person });
  expect(result?.account?.username).toBe(person.username);
  const guarded = client.acquireTokenByUsernamePassword({ scopes: [`${uri(app.guarded)}/use`], ...person });
  await expect(guarded).rejects.toBeInstanceOf(InteractionRequiredAuthError);
});

test('judge @azure/msal-node 7: user federated identity credential', async () => {
  const exchange = { scopes: ['api://AzureADTokenExchange/.default'] };
  const blueprint = await confidential(app.blueprint).acquireTokenByClientCredential({
    ...exchange,
    fmiPath: app.agent,
  });
  const agent = confidential(app.agent, { clientAssertion: blueprint?.accessToken ?? '' });
  const own = await agent.acquireTokenByClientCredential(exchange);
  const result = await agent.acquireTokenByUserFederatedIdentityCredential({
    scopes: [`${uri(app.talkative)}/use`],
    assertion: own?.accessToken ?? '',
    username: 'agent@contoso.example',
  });
  expect(decodeJwt(result?.accessToken ?? '')).toMatchObject({ xms_act_fct: '11', xms_sub_fct: '13' });
});

test('judge @azure/msal-node 7: a challenge for an authentication context, provoked, satisfied and in the token', async () => {
  const client = confidential();
  const scopes = [`${uri(app.legacy)}/use`];
  const account = accountOf(await signIn(client, scopes));
  // What the API answers with in WWW-Authenticate.
  const claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}';
  const refused = await client
    .acquireTokenSilent({ account, scopes, claims })
    .catch((problem: unknown) => problem);
  expect(refused).toBeInstanceOf(InteractionRequiredAuthError);
  const strong = await signIn(client, scopes, { claims: (refused as InteractionRequiredAuthError).claims });
  expect(decodeJwt(strong.accessToken)['acrs']).toEqual(['c1']);
});

test('judge @azure/msal-node 7: cp1 brings a long-lived token and a time to refresh it', async () => {
  const client = new ConfidentialClientApplication({
    auth: { ...auth(app.web), clientSecret: SECRET, clientCapabilities: ['cp1'] },
  });
  const { accessToken, expiresOn, refreshOn } = await signIn(client, ['User.Read']);
  expect(decodeJwt(accessToken)).toMatchObject({ xms_cc: ['cp1'] });
  expect((expiresOn?.getTime() ?? 0) - Date.now()).toBeGreaterThan(20 * 3_600_000);
  expect(refreshOn?.getTime() ?? 0).toBeLessThan(expiresOn?.getTime() ?? 0);
});

test('judge @azure/msal-node 7: /organizations, where everybody is at home', async () => {
  const client = confidential(app.consenting, undefined, 'organizations');
  const pia = { username: 'pia@partner.example', forAll: true };
  await signIn(client, ['User.Read'], { person: pia });
  const { account, accessToken } = await signIn(client, ['User.Read'], {
    person: { username: 'gus@partner.example' },
  });
  expect([account?.tenantId, decodeJwt(accessToken)['tid']]).toEqual([PARTNER_TENANT_ID, PARTNER_TENANT_ID]);
});

test('judge @azure/msal-node 7: consent that is missing is asked for', async () => {
  const client = confidential(app.consenting);
  const account = accountOf(await signIn(client, ['User.Read']));
  const silent = client.acquireTokenSilent({ account, scopes: ['Mail.Read'] });
  await expect(silent).rejects.toMatchObject({
    name: 'InteractionRequiredAuthError',
    subError: 'consent_required',
  });
});
