/** A certified OpenID client that knows nothing of Microsoft, unpatched, against a tenant's authority over https. */
import tls from 'node:tls';
import { CONTOSO_TENANT_ID as TENANT, createEmulator, type Emulator } from '@valetkey/entra-emulator';
import { decodeJwt } from 'jose';
import * as oidc from 'openid-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createBrowser } from '../../packages/emulator/src/browser.suite.ts';
import {
  actOnBehalf,
  app,
  REDIRECT,
  scenarioSeed,
  SECRET,
  uri,
  walk,
} from '../../packages/emulator/src/scenario.suite.ts';

const trustedBefore = tls.getCACertificates('default');
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator({ seed: scenarioSeed });
  tls.setDefaultCACertificates([...trustedBefore, emulator.caCertificatePem]);
});
beforeEach(() => emulator.control.reset());
afterAll(async () => {
  tls.setDefaultCACertificates(trustedBefore);
  await emulator.close();
});

const discover = (clientId: string = app.web, auth: oidc.ClientAuth = oidc.ClientSecretPost(SECRET)) =>
  oidc.discovery(new URL(`${emulator.authorityHost}/${TENANT}/v2.0`), clientId, undefined, auth);

async function authorize(config: oidc.Configuration, params: Record<string, string>) {
  const url = oidc.buildAuthorizationUrl(config, { redirect_uri: REDIRECT, ...params });
  const browser = createBrowser();
  const { response } = await walk(await browser.get(url.href), browser);
  return new URL(response.headers.get('location') ?? 'about:blank');
}

async function signIn(config: oidc.Configuration, scope: string) {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const answer = await authorize(config, {
    scope,
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  return oidc.authorizationCodeGrant(config, answer, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  });
}

test('judge openid-client 6: discovery', async () => {
  const metadata = (await discover()).serverMetadata();
  expect(metadata.issuer).toBe(`${emulator.httpsOrigin}/${TENANT}/v2.0`);
  expect(metadata.device_authorization_endpoint).toContain('/oauth2/v2.0/devicecode');
  expect(metadata.supportsPKCE()).toBe(false);
});

test('judge openid-client 6: authorization code with PKCE, refresh and userinfo', async () => {
  const config = await discover();
  oidc.enableNonRepudiationChecks(config);
  const tokens = await signIn(config, 'openid profile email offline_access User.Read');
  const claims = tokens.claims();
  expect(claims).toMatchObject({ aud: app.web, preferred_username: 'rita@contoso.example' });
  const info = await oidc.fetchUserInfo(config, tokens.access_token, claims?.sub ?? '');
  expect(info).toMatchObject({ name: 'Rita Reader', email: 'rita@contoso.example' });
  const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? '', {
    scope: `${uri(app.middle)}/use offline_access`,
  });
  expect(decodeJwt(fresh.access_token)).toMatchObject({ aud: app.middle });
});

test('judge openid-client 6: client credentials by post and basic', async () => {
  for (const auth of [oidc.ClientSecretPost(SECRET), oidc.ClientSecretBasic(SECRET)]) {
    const config = await discover(app.web, auth);
    const tokens = await oidc.clientCredentialsGrant(config, { scope: `${uri(app.legacy)}/.default` });
    expect(decodeJwt(tokens.access_token)).toMatchObject({ appid: app.web });
  }
  const wrong = await discover(app.web, oidc.ClientSecretPost('wrong'));
  await expect(
    oidc.clientCredentialsGrant(wrong, { scope: `${uri(app.legacy)}/.default` }),
  ).rejects.toMatchObject({ error: 'invalid_client', status: 401 });
});

test('judge openid-client 6: device authorization', async () => {
  const config = await discover(app.native, oidc.None());
  const device = await oidc.initiateDeviceAuthorization(config, { scope: 'openid profile' });
  const browser = createBrowser();
  await walk(await browser.post(device.verification_uri, { otc: device.user_code }), browser);
  const tokens = await oidc.pollDeviceAuthorizationGrant(config, { ...device, interval: 0.01 });
  expect(tokens.claims()).toMatchObject({ aud: app.native });
});

test('judge openid-client 6: id token and hybrid from the authorize endpoint', async () => {
  const implicit = await discover(app.implicit, oidc.None());
  oidc.useIdTokenResponseType(implicit);
  const nonce = oidc.randomNonce();
  const answer = await authorize(implicit, { scope: 'openid', nonce, response_mode: 'fragment' });
  expect(await oidc.implicitAuthentication(implicit, answer, nonce)).toMatchObject({ aud: app.implicit });
  const hybrid = await discover(app.implicit);
  oidc.useCodeIdTokenResponseType(hybrid);
  const verifier = oidc.randomPKCECodeVerifier();
  const both = await authorize(hybrid, {
    scope: 'openid',
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const checks = { pkceCodeVerifier: verifier, expectedNonce: nonce };
  const tokens = await oidc.authorizationCodeGrant(hybrid, both, checks);
  expect(tokens.claims()).toMatchObject({ aud: app.implicit });
});

test('judge openid-client 6: on-behalf-of as a generic grant, and its refusal', async () => {
  const { access_token } = await signIn(await discover(), `openid ${uri(app.middle)}/use`);
  const config = await discover(app.middle);
  const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const form = { assertion: access_token, requested_token_use: 'on_behalf_of', scope: 'User.Read' };
  const tokens = await oidc.genericGrantRequest(config, grant, form);
  expect(decodeJwt(tokens.access_token)).toMatchObject({ appid: app.middle });
  expect((await actOnBehalf(emulator, tokens.access_token)).body.error_codes).toEqual([500131]);
});
