/** The instance metadata service, judged by @azure/identity. A file of its own: MSAL chooses its source once per process. */
import tls from 'node:tls';
import { ManagedIdentityCredential } from '@azure/identity';
import {
  createEmulator,
  CONTOSO_TENANT_ID,
  type Emulator,
  GATEWAY_IDENTITY_PRINCIPAL_ID,
  SYSTEM_IDENTITY_PRINCIPAL_ID,
} from '@valetkey/entra-emulator';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

const VAULT = 'https://vault.azure.net';
const trustedBefore = tls.getCACertificates('default');
const environmentBefore = { ...process.env };
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator();
  tls.setDefaultCACertificates([...trustedBefore, emulator.caCertificatePem]);
});
beforeEach(() => {
  emulator.control.reset();
  Object.assign(process.env, emulator.azure.imdsEnvironment());
});
afterEach(() => {
  for (const name of Object.keys(process.env))
    if (!(name in environmentBefore)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, environmentBefore);
});
afterAll(async () => {
  tls.setDefaultCACertificates(trustedBefore);
  await emulator.close();
});

const asked = (path: string) => emulator.control.requestLog().filter((entry) => entry.path.startsWith(path));

async function verify(token: string, audience: string) {
  const keys = createRemoteJWKSet(
    new URL(`${emulator.httpsOrigin}/${CONTOSO_TENANT_ID}/discovery/v2.0/keys`),
  );
  const { payload } = await jwtVerify(token, keys, { audience });
  return payload;
}

test('judge @azure/identity 4: managed identity by IMDS', async () => {
  const named = new ManagedIdentityCredential({ objectId: GATEWAY_IDENTITY_PRINCIPAL_ID });
  const { token } = await named.getToken('https://management.azure.com/.default');
  expect(await verify(token, 'https://management.azure.com')).toMatchObject({
    sub: GATEWAY_IDENTITY_PRINCIPAL_ID,
    xms_mirid: expect.stringContaining('/userAssignedIdentities/gateway-identity'),
  });
  expect(asked('/metadata/identity/oauth2/token')).toHaveLength(1);
  const unknown = new ManagedIdentityCredential({
    clientId: CONTOSO_TENANT_ID,
    retryOptions: { maxRetries: 0 },
  });
  await expect(unknown.getToken(`${VAULT}/.default`)).rejects.toThrow(/Identity not found/);
});

test('judge @azure/identity 4: managed identity by IMDS waits out 404, 429 and 500', async () => {
  const planned = [{ status: 404 }, { status: 429, retryAfterSeconds: 0 }, { status: 500 }] as const;
  for (const each of planned)
    emulator.control.setFault({ endpoint: 'managedIdentity' }, { kind: 'status', ...each }, 1);
  const credential = new ManagedIdentityCredential({ retryOptions: { maxRetries: 4, retryDelayInMs: 1 } });
  const { token } = await credential.getToken('https://management.azure.com/.default');
  expect(decodeJwt(token).sub).toBe(SYSTEM_IDENTITY_PRINCIPAL_ID);
  const statuses = emulator.control.requestLog().map((entry) => entry.status);
  expect(statuses).toEqual([404, 429, 500, 200]);
});
