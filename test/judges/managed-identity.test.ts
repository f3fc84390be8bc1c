/** Managed and workload identity, judged by the libraries that a process in Azure has. Nothing in them is patched. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { ManagedIdentityCredential, WorkloadIdentityCredential } from '@azure/identity';
import { ManagedIdentityApplication } from '@azure/msal-node';
import {
  createEmulator,
  CONTOSO_TENANT_ID,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_IDENTITY_CLIENT_ID,
  GATEWAY_IDENTITY_PRINCIPAL_ID,
  SNIPPETS_API_CLIENT_ID,
  SNIPPETS_API_URI,
  SYSTEM_IDENTITY_PRINCIPAL_ID,
} from '@valetkey/entra-emulator';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

// MSAL keeps managed-identity tokens, and which source they came from, for the whole process: each test asks for another
// pair of identity and resource, and IMDS has a file of its own.
const VAULT = 'https://vault.azure.net';
const trustedBefore = tls.getCACertificates('default');
const environmentBefore = { ...process.env };
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator();
  tls.setDefaultCACertificates([...trustedBefore, emulator.caCertificatePem]);
});
beforeEach(() => emulator.control.reset());
afterEach(() => {
  for (const name of Object.keys(process.env))
    if (!(name in environmentBefore)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, environmentBefore);
});
afterAll(async () => {
  tls.setDefaultCACertificates(trustedBefore);
  await emulator.close();
});

const useAppService = () => Object.assign(process.env, emulator.azure.appServiceEnvironment());
const asked = (path: string) => emulator.control.requestLog().filter((entry) => entry.path === path);

async function verify(token: string, audience: string) {
  const keys = createRemoteJWKSet(
    new URL(`${emulator.httpsOrigin}/${CONTOSO_TENANT_ID}/discovery/v2.0/keys`),
  );
  const { payload } = await jwtVerify(token, keys, { audience });
  return payload;
}

test('judge @azure/identity 4: managed identity by App Service', async () => {
  useAppService();
  const named = new ManagedIdentityCredential({ clientId: GATEWAY_IDENTITY_CLIENT_ID });
  const result = await named.getToken(`${VAULT}/.default`);
  const payload = await verify(result.token, VAULT);
  expect(payload).toMatchObject({
    sub: GATEWAY_IDENTITY_PRINCIPAL_ID,
    oid: GATEWAY_IDENTITY_PRINCIPAL_ID,
    appid: GATEWAY_IDENTITY_CLIENT_ID,
    idtyp: 'app',
    ver: '1.0',
  });
  const hours = (result.expiresOnTimestamp - Date.now()) / 3_600_000;
  expect(hours).toBeGreaterThan(23.9);
  expect(hours).toBeLessThan(24.1);
  const [sent] = asked('/msi/token');
  expect(sent?.query).toMatchObject({ client_id: GATEWAY_IDENTITY_CLIENT_ID, resource: VAULT });

  const own = await new ManagedIdentityCredential().getToken(`${SNIPPETS_API_URI}/.default`);
  expect(await verify(own.token, SNIPPETS_API_CLIENT_ID)).toMatchObject({
    sub: SYSTEM_IDENTITY_PRINCIPAL_ID,
    ver: '2.0',
    idtyp: 'app',
  });
});

test('judge @azure/identity 4: managed identity by App Service refuses an unknown identity and an unknown resource', async () => {
  useAppService();
  const options = { retryOptions: { maxRetries: 0 } };
  const unknown = new ManagedIdentityCredential({ clientId: CONTOSO_TENANT_ID, ...options });
  await expect(unknown.getToken(`${VAULT}/.default`)).rejects.toThrow(
    /No User Assigned or Delegated Managed Identity/,
  );
  const own = new ManagedIdentityCredential(options);
  await expect(own.getToken('https://nowhere.example/.default')).rejects.toThrow(/AADSTS500011/);
});

test('judge @azure/identity 4: workload identity', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'workload-'));
  try {
    const variables = await emulator.azure.writeWorkloadIdentityToken(directory, {
      clientId: GATEWAY_CLIENT_ID,
    });
    Object.assign(process.env, variables);
    expect((await stat(variables['AZURE_FEDERATED_TOKEN_FILE'] ?? '')).mode & 0o777).toBe(0o600);
    const credential = () => new WorkloadIdentityCredential({ disableInstanceDiscovery: true });
    const { token } = await credential().getToken(`${SNIPPETS_API_URI}/.default`);
    expect(await verify(token, SNIPPETS_API_CLIENT_ID)).toMatchObject({
      azp: GATEWAY_CLIENT_ID,
      azpacr: '2',
      roles: ['Snippets.Service'],
    });
    await emulator.azure.writeWorkloadIdentityToken(directory, {
      clientId: GATEWAY_CLIENT_ID,
      name: 'stranger',
    });
    await expect(credential().getToken(`${SNIPPETS_API_URI}/.default`)).rejects.toThrow(/AADSTS700213/);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('judge @azure/msal-node 7: managed identity', async () => {
  useAppService();
  const byResource = new ManagedIdentityApplication({
    managedIdentityIdParams: {
      userAssignedResourceId:
        '/subscriptions/a8c93b4d-8192-43a4-b5c6-18293a4b5c6d/resourcegroups/contoso/providers/Microsoft.ManagedIdentity/userAssignedIdentities/gateway-identity',
    },
  });
  const exchange = await byResource.acquireToken({ resource: 'api://AzureADTokenExchange' });
  expect(decodeJwt(exchange.accessToken)).toMatchObject({
    iss: `${emulator.httpsOrigin}/${CONTOSO_TENANT_ID}/v2.0`,
    sub: GATEWAY_IDENTITY_PRINCIPAL_ID,
    aud: 'api://AzureADTokenExchange',
  });
  const own = new ManagedIdentityApplication();
  expect(own.getManagedIdentitySource()).toBe('AppService');
  const first = await own.acquireToken({ resource: VAULT });
  const again = await own.acquireToken({ resource: VAULT });
  expect([first.fromCache, again.fromCache]).toEqual([false, true]);
  const fresh = await own.acquireToken({ resource: VAULT, forceRefresh: true });
  expect(fresh.accessToken).not.toBe(first.accessToken);
});
