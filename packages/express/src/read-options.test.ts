import { expect, test } from 'vitest';
import { OptionsFault } from './options-fault.ts';
import { readOptions } from './read-options.ts';
import { valetkey, type ValetkeyOptions } from './valetkey.ts';

/** Without the note on where they came from. */
const plain = (env: Record<string, string>) => Object.fromEntries(Object.entries(readOptions(env)));

test('nothing in the environment leaves nothing but gaps, which the start reports', () => {
  expect(plain({})).toEqual({ entra: {} });
});

test('an empty variable is one that is not set', () => {
  const options = plain({ VALETKEY_PUBLIC_URL: '', VALETKEY_STORE: '', VALETKEY_CLIENT_SECRET: '' });
  expect(options).toEqual({ entra: {} });
});

test.each([
  [{ VALETKEY_CLIENT_SECRET: 's' }, { secret: 's' }],
  [{ VALETKEY_MANAGED_IDENTITY: 'id' }, { managedIdentity: { clientId: 'id' } }],
  [{ AZURE_FEDERATED_TOKEN_FILE: '/token' }, { workloadIdentity: {} }],
  [{ VALETKEY_CLIENT_SECRET: 's', AZURE_FEDERATED_TOKEN_FILE: '/token' }, { secret: 's' }],
])('A29: how the server proves itself: %j', (env, credential) => {
  expect(plain(env)).toEqual({ entra: { credential } });
});

test('another authority is one cloud, its Graph at the same host unless said otherwise', () => {
  const host = { VALETKEY_CLOUD: 'usgov', VALETKEY_AUTHORITY_HOST: 'https://localhost:1' };
  expect(readOptions(host)).toMatchObject({
    entra: { cloud: { authorityHost: 'https://localhost:1', graphHost: 'https://localhost:1' } },
  });
  expect(readOptions({ ...host, VALETKEY_GRAPH_HOST: 'https://localhost:2' })).toMatchObject({
    entra: { cloud: { graphHost: 'https://localhost:2' } },
  });
  expect(readOptions({ VALETKEY_CLOUD: 'usgov' })).toMatchObject({ entra: { cloud: 'usgov' } });
});

test('store, keys and records', () => {
  const env = {
    VALETKEY_STORE: 'sqlite:./a.db',
    VALETKEY_KEY_FILE: './k.json',
    VALETKEY_AUDIT_FILE: './audit',
  };
  expect(readOptions(env)).toMatchObject({
    store: 'sqlite:./a.db',
    keys: { file: './k.json' },
    audit: { stdout: false, file: './audit' },
  });
  expect(readOptions({ VALETKEY_KEYS: '{}' })).toMatchObject({ keys: { environment: '{}' } });
});

const good = {
  VALETKEY_PUBLIC_URL: 'http://localhost:3001',
  VALETKEY_TENANT_ID: '8f5c0000-0000-4000-8000-000000000001',
  VALETKEY_CLIENT_ID: '31b20000-0000-4000-8000-000000000001',
  VALETKEY_CLIENT_SECRET: 'a-secret',
};
const { VALETKEY_CLIENT_SECRET: _, ...noCredential } = good;

async function faultOf(options: ValetkeyOptions): Promise<OptionsFault> {
  const fault = await valetkey(options).catch((caught: unknown) => caught);
  if (!(fault instanceof OptionsFault)) throw new Error('expected a fault', { cause: fault });
  return fault;
}

test.each<[string, string, Record<string, string>]>([
  ['VALETKEY_PUBLIC_URL', 'publicUrl', { ...good, VALETKEY_PUBLIC_URL: 'http://mcp.contoso.com' }],
  ['VALETKEY_TENANT_ID', 'entra.tenant', { ...good, VALETKEY_TENANT_ID: 'common' }],
  ['VALETKEY_CLIENT_ID', 'entra.clientId', { ...good, VALETKEY_CLIENT_ID: 'x' }],
  ['VALETKEY_CLIENT_SECRET', 'entra.credential.secret', { ...good, VALETKEY_CLIENT_SECRET: 'env:NOT_SET' }],
  [
    'VALETKEY_MANAGED_IDENTITY',
    'entra.credential.managedIdentity.clientId',
    { ...noCredential, VALETKEY_MANAGED_IDENTITY: 'x' },
  ],
  [
    'AZURE_FEDERATED_TOKEN_FILE',
    'entra.credential.workloadIdentity.tokenFile',
    { ...noCredential, AZURE_FEDERATED_TOKEN_FILE: '/token' },
  ],
  ['VALETKEY_CA_FILE', 'entra.caFile', { ...good, VALETKEY_CA_FILE: './nowhere.pem' }],
  ['VALETKEY_STORE', 'store', { ...good, VALETKEY_STORE: 'mysql://h' }],
  ['VALETKEY_KEYS', 'keys.environment', { ...good, VALETKEY_KEYS: '{}' }],
  ['VALETKEY_CLOUD', 'entra.cloud', { ...good, VALETKEY_CLOUD: 'germany' }],
  [
    'VALETKEY_BROWSER_AUTHORITY_HOST',
    'entra.cloud.browserAuthorityHost',
    { ...good, VALETKEY_AUTHORITY_HOST: 'https://a.example', VALETKEY_BROWSER_AUTHORITY_HOST: 'x' },
  ],
  [
    'VALETKEY_GRAPH_HOST or VALETKEY_AUTHORITY_HOST',
    'entra.cloud.graphHost',
    { ...good, VALETKEY_AUTHORITY_HOST: 'https://a.example', VALETKEY_GRAPH_HOST: 'x' },
  ],
])('A2 D7: a fault names the variable %s', async (variable, path, env) => {
  const fault = await faultOf({ ...readOptions(env), title: 'Mine' });
  expect(fault.faults).toMatchObject([{ path, variable }]);
  expect(fault.message).toContain(`\n  ${variable} (${path}) `);
});

test('A2 D7: variables that are not set are named all at once', async () => {
  const { faults, message } = await faultOf(readOptions({}));
  expect(faults.map(({ variable, problem }) => [variable, problem])).toEqual([
    ['VALETKEY_PUBLIC_URL', 'is missing'],
    ['VALETKEY_TENANT_ID', 'is missing'],
    ['VALETKEY_CLIENT_ID', 'is missing'],
    ['VALETKEY_CLIENT_SECRET, VALETKEY_MANAGED_IDENTITY or AZURE_FEDERATED_TOKEN_FILE', 'is missing'],
  ]);
  expect(message).toContain('Set VALETKEY_TENANT_ID where the server is started');
});

test('what the program wrote itself, over a variable or without any, is called by its path alone', async () => {
  const over = await faultOf({ ...readOptions(good), publicUrl: 'http://mcp.contoso.com', title: '' });
  expect(over.faults.map(({ path, variable }) => [path, variable])).toEqual([
    ['publicUrl', undefined],
    ['title', undefined],
  ]);
  const without = await faultOf({ entra: {} } as unknown as ValetkeyOptions);
  expect(without.message).not.toContain('VALETKEY_');
});
