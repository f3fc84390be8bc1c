/** The credentials of @azure/identity that prove an app or sign a person in, unpatched, against the emulator over https. */
import { generateKeyPairSync } from 'node:crypto';
import tls from 'node:tls';
import {
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  DeviceCodeCredential,
  OnBehalfOfCredential,
} from '@azure/identity';
import {
  CONTOSO_TENANT_ID as TENANT,
  createEmulator,
  createSelfSigned,
  type Emulator,
} from '@valetkey/entra-emulator';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createBrowser } from '../../packages/emulator/src/browser.suite.ts';
import { app, scenarioSeed, SECRET, signIn, uri, walk } from '../../packages/emulator/src/scenario.suite.ts';

const trustedBefore = tls.getCACertificates('default');
const SCOPE = `${uri(app.legacy)}/.default`;
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

const here = () => ({ authorityHost: emulator.authorityHost, disableInstanceDiscovery: true });

test('judge @azure/identity 4: client secret', async () => {
  const { token } = await new ClientSecretCredential(TENANT, app.web, SECRET, here()).getToken(SCOPE);
  expect(decodeJwt(token)).toMatchObject({ appid: app.web, appidacr: '1' });
  const wrong = new ClientSecretCredential(TENANT, app.web, 'wrong', here()).getToken(SCOPE);
  await expect(wrong).rejects.toThrow('AADSTS7000215');
});

test('judge @azure/identity 4: client certificate', async () => {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = createSelfSigned('web', keys, Date.now());
  const certificate = `${pem}${keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()}`;
  const ask = () => new ClientCertificateCredential(TENANT, app.web, { certificate }, here()).getToken(SCOPE);
  await expect(ask()).rejects.toThrow('AADSTS700027');
  emulator.control.addCertificate(app.web, pem);
  expect(decodeJwt((await ask()).token)).toMatchObject({ appid: app.web, appidacr: '2' });
});

test('judge @azure/identity 4: client assertion', async () => {
  const subject = '77aa88bb-99cc-4ddd-8eee-000000000002';
  const audience = 'api://AzureADTokenExchange';
  emulator.control.addFederatedCredential(app.web, { issuer: '{issuer}', subject, audience });
  const assert = () => emulator.control.createManagedIdentityToken(subject, audience);
  const { token } = await new ClientAssertionCredential(TENANT, app.web, assert, here()).getToken(SCOPE);
  expect(decodeJwt(token)).toMatchObject({ appid: app.web, appidacr: '2' });
});

test('judge @azure/identity 4: device code', async () => {
  const credential = new DeviceCodeCredential({
    tenantId: TENANT,
    clientId: app.native,
    ...here(),
    userPromptCallback: ({ userCode, verificationUri }) => {
      const browser = createBrowser();
      void browser.post(verificationUri, { otc: userCode }).then((page) => walk(page, browser));
    },
  });
  const { token } = await credential.getToken('https://graph.microsoft.com/User.Read');
  expect(decodeJwt(token)).toMatchObject({ appid: app.native, unique_name: 'rita@contoso.example' });
});

test('judge @azure/identity 4: on behalf of', async () => {
  const { access_token } = await signIn(emulator, { scope: `${uri(app.middle)}/use` });
  const ask = (userAssertionToken: string, scope: string) =>
    new OnBehalfOfCredential({
      tenantId: TENANT,
      clientId: app.middle,
      clientSecret: SECRET,
      userAssertionToken,
      ...here(),
    }).getToken(scope);
  const { token } = await ask(access_token, 'https://graph.microsoft.com/User.Read');
  expect(decodeJwt(token)).toMatchObject({ appid: app.middle, unique_name: 'rita@contoso.example' });
  await expect(ask(token, 'https://graph.microsoft.com/User.Read')).rejects.toThrow('AADSTS500131');
  await expect(ask(access_token, `${uri(app.guarded)}/use`)).rejects.toThrow('AADSTS50076');
});
