import { expect, test } from 'vitest';
import { readOptions } from './read-options.ts';

test('nothing in the environment leaves nothing but gaps, which the start reports', () => {
  expect(readOptions({})).toEqual({ entra: {} });
});

test('an empty variable is one that is not set', () => {
  const options = readOptions({ VALETKEY_PUBLIC_URL: '', VALETKEY_STORE: '', VALETKEY_CLIENT_SECRET: '' });
  expect(options).toEqual({ entra: {} });
});

test.each([
  [{ VALETKEY_CLIENT_SECRET: 's' }, { secret: 's' }],
  [{ VALETKEY_MANAGED_IDENTITY: 'id' }, { managedIdentity: { clientId: 'id' } }],
  [{ AZURE_FEDERATED_TOKEN_FILE: '/token' }, { workloadIdentity: {} }],
  [{ VALETKEY_CLIENT_SECRET: 's', AZURE_FEDERATED_TOKEN_FILE: '/token' }, { secret: 's' }],
])('A29: how the server proves itself: %j', (env, credential) => {
  expect(readOptions(env)).toEqual({ entra: { credential } });
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
