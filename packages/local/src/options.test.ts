import { expect, test } from 'vitest';
import { checkOptions, ConfigurationFault, readSignInOptions, type SignInOptions } from './options.ts';

const good = {
  VALETKEY_CLIENT_ID: '53d4e6f8-3c4d-4e5f-a071-c3d4e5f60718',
  VALETKEY_TENANT_ID: '5C8A1D2E-0f3b-4c6d-9e7f-102938475610',
};

function faultsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigurationFault) return error.faults;
    throw error;
  }
  return [];
}

test('A2: client id and tenant id are all it takes', () => {
  expect(checkOptions(readSignInOptions(good))).toMatchObject({
    tenant: '5c8a1d2e-0f3b-4c6d-9e7f-102938475610',
    authorityHost: 'https://login.microsoftonline.com',
    graphHost: 'https://graph.microsoft.com',
    tokenStore: 'keychain',
    way: 'auto',
  });
});

test.each([
  ['VALETKEY_CLIENT_ID', undefined],
  ['VALETKEY_CLIENT_ID', ''],
  ['VALETKEY_CLIENT_ID', 'my-secret-client'],
  ['VALETKEY_TENANT_ID', undefined],
  ['VALETKEY_TENANT_ID', 'contoso.com'],
  ['VALETKEY_TENANT_ID', 'common'],
  ['VALETKEY_CLOUD', 'mars'],
  ['VALETKEY_TOKEN_STORE', 'plain'],
  ['VALETKEY_SIGN_IN', 'password'],
  ['VALETKEY_SIGN_IN_TIMEOUT_SECONDS', '0'],
  ['VALETKEY_SIGN_IN_TIMEOUT_SECONDS', 'soon'],
])('A2 D7: %s = %j stops the start with the variable named, and its value kept', (name, value) => {
  const faults = faultsOf(() => readSignInOptions({ ...good, [name]: value }));
  expect(faults).toHaveLength(1);
  expect(faults[0]).toContain(`${name}: expected`);
  if (value && value.length > 8) expect(faults[0]).not.toContain(value);
});

test('A2: every fault is told at once', () => {
  expect(faultsOf(() => readSignInOptions({}))).toHaveLength(2);
});

test('D7: options in code are checked the same, under their own names', () => {
  const faults = faultsOf(() => checkOptions({} as SignInOptions));
  expect(faults.map((fault) => fault.split(':')[0])).toEqual(['clientId', 'tenant']);
});

test.each([
  [{ VALETKEY_AUTHORITY_HOST: 'http://login.contoso.com' }],
  [{ VALETKEY_AUTHORITY_HOST: 'https://login.contoso.com/' }],
  [{ VALETKEY_AUTHORITY_HOST: 'https://a.example', VALETKEY_GRAPH_HOST: 'http://b.example' }],
])('A9: %j is no other authority to trust', (hosts) => {
  expect(faultsOf(() => readSignInOptions({ ...good, ...hosts }))).toHaveLength(1);
});
