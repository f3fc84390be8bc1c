import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { postToken } from '../browser.suite.ts';
import {
  createEmulator,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_IDENTITY_CLIENT_ID,
  GATEWAY_IDENTITY_PRINCIPAL_ID,
  SNIPPETS_API_URI,
  SYSTEM_IDENTITY_PRINCIPAL_ID,
} from '../emulator.ts';

const VAULT = 'https%3A%2F%2Fvault.azure.net';
let emulator: Emulator;
beforeAll(async () => {
  emulator = await createEmulator();
});
beforeEach(() => emulator.control.reset());
afterAll(() => emulator.close());

async function ask(path: string, headers: Record<string, string>) {
  const response = await fetch(emulator.httpOrigin + path, { headers });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, string>,
  };
}
const imds = (query: string, headers: Record<string, string> = { Metadata: 'true' }) =>
  ask(`/metadata/identity/oauth2/token?${query}`, headers);
function appService(query: string, header = emulator.azure.appServiceEnvironment().IDENTITY_HEADER) {
  return ask(`/msi/token?${query}`, { 'X-IDENTITY-HEADER': header });
}

test('IMDS answers numbers as text, App Service fewer of them', async () => {
  const machine = await imds(
    `api-version=2018-02-01&resource=${VAULT}&client_id=${GATEWAY_IDENTITY_CLIENT_ID}`,
  );
  expect(machine.body).toEqual({
    access_token: expect.any(String),
    client_id: GATEWAY_IDENTITY_CLIENT_ID,
    expires_in: '86400',
    expires_on: expect.stringMatching(/^\d{10}$/),
    ext_expires_in: '86400',
    not_before: expect.stringMatching(/^\d{10}$/),
    resource: 'https://vault.azure.net',
    token_type: 'Bearer',
  });
  expect(decodeJwt(machine.body['access_token'] ?? '').sub).toBe(GATEWAY_IDENTITY_PRINCIPAL_ID);
  const site = await appService(`api-version=2019-08-01&resource=${VAULT}`);
  expect(Object.keys(site.body).toSorted()).toEqual([
    'access_token',
    'client_id',
    'expires_on',
    'resource',
    'token_type',
  ]);
  expect(decodeJwt(site.body['access_token'] ?? '').sub).toBe(SYSTEM_IDENTITY_PRINCIPAL_ID);
});

test.each([
  [
    'no metadata header',
    `api-version=2018-02-01&resource=${VAULT}`,
    {},
    'Required metadata header not specified',
  ],
  [
    'a proxy',
    `api-version=2018-02-01&resource=${VAULT}`,
    { Metadata: 'true', 'X-Forwarded-For': '10.0.0.1' },
    'X-Forwarded-For',
  ],
  ['no api-version', `resource=${VAULT}`, undefined, 'api-version'],
  ['an old api-version', `api-version=2017-01-01&resource=${VAULT}`, undefined, 'not supported'],
  ['no resource', 'api-version=2018-02-01', undefined, 'resource'],
  [
    'an unknown resource',
    'api-version=2018-02-01&resource=https%3A%2F%2Fnowhere.example',
    undefined,
    'AADSTS500011',
  ],
  [
    'an unknown identity',
    `api-version=2018-02-01&resource=${VAULT}&client_id=nobody`,
    undefined,
    'Identity not found',
  ],
])('IMDS refuses %s', async (_, query, headers, text) => {
  const { status, body } = await imds(query, headers);
  expect([status, body['error_description']]).toEqual([400, expect.stringContaining(text)]);
});

test('without a name IMDS takes the only identity there is, and does not choose between two', async () => {
  const withIdentities = (count: number) => ({
    tenants: defaultSeed.tenants.slice(0, 1).map((tenant) => ({
      ...tenant,
      managedIdentities: [1, 2].slice(0, count).map((number) => ({
        kind: 'userAssigned' as const,
        principalId: `9000000${number}-0000-4000-8000-000000000000`,
        clientId: `9100000${number}-0000-4000-8000-000000000000`,
        displayName: `identity ${number}`,
        resourceId: `/subscriptions/x/identity-${number}`,
      })),
    })),
  });
  const statuses: number[] = [];
  for (const count of [0, 1, 2]) {
    const other = await createEmulator({ seed: withIdentities(count) });
    const url = `${other.httpOrigin}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${VAULT}`;
    statuses.push((await fetch(url, { headers: { Metadata: 'true' } })).status);
    await other.close();
  }
  expect(statuses).toEqual([400, 200, 400]);
});

test('App Service refuses a wrong secret, another version and an unknown identity', async () => {
  const query = `api-version=2019-08-01&resource=${VAULT}`;
  expect(await appService(query, 'guessed')).toMatchObject({ status: 401, body: { statusCode: 401 } });
  expect(await appService(`api-version=2017-09-01&resource=${VAULT}`)).toMatchObject({ status: 400 });
  expect(await appService(`${query}&principal_id=nobody`)).toMatchObject({
    status: 400,
    body: { correlationId: expect.any(String) },
  });
});

test.each([[404], [410], [429], [500], [503], [504]] as const)(
  'status %i can be planned for both doors',
  async (status) => {
    emulator.control.setFault(
      { endpoint: 'managedIdentity' },
      { kind: 'status', status, retryAfterSeconds: 4 },
      2,
    );
    const machine = await imds(`api-version=2018-02-01&resource=${VAULT}`);
    expect([machine.status, machine.headers.get('retry-after'), machine.body['error']]).toEqual([
      status,
      '4',
      expect.any(String),
    ]);
    expect(await appService(`api-version=2019-08-01&resource=${VAULT}`)).toMatchObject({
      status,
      body: { statusCode: status },
    });
    expect((await imds(`api-version=2018-02-01&resource=${VAULT}`)).status).toBe(200);
  },
);

test('a managed identity’s token is a federated credential of the app that names its principal id, and of no other', async () => {
  const exchange = async (identity: string) => {
    const { body } = await imds(
      `api-version=2018-02-01&resource=api%3A%2F%2FAzureADTokenExchange${identity}`,
    );
    return redeem(body['access_token'] ?? '');
  };
  expect(await exchange(`&client_id=${GATEWAY_IDENTITY_CLIENT_ID}`)).toMatchObject({ token_type: 'Bearer' });
  expect(await exchange('')).toMatchObject({ error_codes: [700213] });
});

async function redeem(assertion: string): Promise<Record<string, unknown>> {
  const answer = await postToken(emulator, {
    grant_type: 'client_credentials',
    client_id: GATEWAY_CLIENT_ID,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    scope: `${SNIPPETS_API_URI}/.default`,
  });
  return (await answer.json()) as Record<string, unknown>;
}

test('a service-account token verifies by the cluster’s own discovery, and stands in for the app’s secret', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cluster-'));
  try {
    const found = await emulator.azure.writeWorkloadIdentityToken(directory, { clientId: GATEWAY_CLIENT_ID });
    const token = await readFile(found['AZURE_FEDERATED_TOKEN_FILE'] ?? '', 'utf8');
    const base = emulator.azure.clusterIssuer.replace(emulator.httpsOrigin, emulator.httpOrigin);
    const metadata = (await (await fetch(`${base}.well-known/openid-configuration`)).json()) as Record<
      string,
      string
    >;
    expect(metadata['issuer']).toBe(emulator.azure.clusterIssuer);
    const keys = createRemoteJWKSet(new URL(`${base}openid/v1/jwks`));
    const { payload } = await jwtVerify(token, keys, {
      issuer: metadata['issuer'] ?? '',
      audience: 'api://AzureADTokenExchange',
    });
    expect(payload.sub).toBe('system:serviceaccount:valetkey:gateway');
    expect(await redeem(token)).toMatchObject({ token_type: 'Bearer' });
  } finally {
    await rm(directory, { recursive: true });
  }
  const wrong = (account: object) => emulator.azure.createServiceAccountToken(account).then(redeem);
  expect(await wrong({ name: 'other' })).toMatchObject({ error_codes: [700213] });
  expect(await wrong({ audience: 'api://other' })).toMatchObject({ error_codes: [700212] });
  expect(await wrong({ lifetimeSeconds: -400 })).toMatchObject({ error_codes: [700024] });
});
