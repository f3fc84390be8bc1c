import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defaultSeed } from './default-seed.ts';
import { GRAPH_CLIENT_ID } from './seed.ts';
import { findSeedFaults, parseSeed, readSeedFile, renderSeedSchema } from './seed-file.ts';
import { describeFault } from './shape.ts';

const TENANT_ID = '11111111-2222-4333-8444-555555555555';
const smallest = {
  tenantId: TENANT_ID,
  domain: 'fabrikam.example',
  displayName: 'Fabrikam',
  users: [],
  apps: [],
};
const faultsOf = (value: unknown) => {
  const parsed = parseSeed(JSON.stringify(value));
  return parsed.ok ? [] : parsed.faults.map(describeFault);
};

test('seed.schema.json is what the code checks', async () => {
  const kept = await readFile(new URL('../seed.schema.json', import.meta.url), 'utf8');
  expect(kept).toBe(renderSeedSchema());
});

test('the default seed passes through a file unchanged', () => {
  expect(findSeedFaults(defaultSeed)).toEqual([]);
  expect(parseSeed(JSON.stringify({ $schema: './seed.schema.json', ...defaultSeed }))).toEqual({
    ok: true,
    seed: defaultSeed,
  });
});

test('a tenant without Microsoft Graph gets it', () => {
  const parsed = parseSeed(JSON.stringify({ tenants: [smallest] }));
  expect(parsed.ok && parsed.seed.tenants[0]?.apps.map((app) => app.clientId)).toEqual([GRAPH_CLIENT_ID]);
});

test('every fault of form is reported at once, with its path and remedy', () => {
  const user = {
    objectId: 'X',
    username: 'rita',
    password: 'p',
    displayName: 'Rita',
    surname: 3,
    hint: '',
    age: 7,
  };
  expect(
    faultsOf({ tenants: [{ ...smallest, domain: undefined, users: [user], apps: {} }], people: [] }),
  ).toEqual([
    '$.people is not a known name: known are tenants',
    '$.tenants[0].domain is missing: add it',
    expect.stringContaining('$.tenants[0].users[0].age is not a known name'),
    '$.tenants[0].users[0].objectId is not a GUID in lower case: write a GUID in lower case',
    '$.tenants[0].users[0].username is not a name like rita@contoso.example: write a name like rita@contoso.example',
    '$.tenants[0].users[0].givenName is missing: add it',
    '$.tenants[0].users[0].surname is a number: write text',
    '$.tenants[0].apps is an object: write a list: [ … ]',
  ]);
});

test('every contradiction is reported at once', () => {
  const app = {
    clientId: TENANT_ID,
    servicePrincipalId: TENANT_ID,
    displayName: 'App',
    redirectUris: [{ uri: 'http://evil.example/', platform: 'web' }],
    accessTokenVersion: 2,
    assignments: [{ username: 'nobody@fabrikam.example', roles: ['Ghost'] }],
  };
  expect(
    faultsOf({ tenants: [{ ...smallest, apps: [app, { ...app, assignments: [], redirectUris: [] }] }] }),
  ).toEqual([
    expect.stringContaining('$.tenants[0].apps[1].clientId is the app'),
    expect.stringContaining('$.tenants[0].apps[0].redirectUris[0].uri of App is refused'),
    expect.stringContaining(
      '$.tenants[0].apps[0].assignments[0].username assigns nobody@fabrikam.example, who is not',
    ),
    expect.stringContaining(
      '$.tenants[0].apps[0].assignments[0].roles assigns the role Ghost, which App does not',
    ),
  ]);
  expect(faultsOf({ tenants: [] })).toEqual(['$.tenants is empty: describe one tenant at least']);
});

test('a secret in a file that is no JSON stays out of the fault', () => {
  const parsed = parseSeed('{"password": Sesame-0pen, }');
  expect(parsed).toMatchObject({
    ok: false,
    faults: [{ path: '$', remedy: expect.stringContaining('JSON') }],
  });
  expect(JSON.stringify(parsed)).not.toContain('Sesame');
});

test('names of Object.prototype are names like any other', () => {
  expect(faultsOf(JSON.parse('{"tenants": [], "__proto__": 1, "constructor": 2}'))).toHaveLength(2);
});

test('a file is read, and a wrong one refused with its name and all its faults', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'emulator-seed-'));
  const path = join(folder, 'seed.json');
  await writeFile(path, JSON.stringify({ tenants: [{ ...smallest, domain: 'X', users: 1 }] }));
  await expect(readSeedFile(path)).rejects.toThrow(/seed\.json is wrong:\n {2}.*domain.*\n {2}.*users/);
  await writeFile(path, JSON.stringify({ tenants: [smallest] }));
  expect((await readSeedFile(path)).tenants[0]?.domain).toBe('fabrikam.example');
  await rm(folder, { recursive: true });
});
