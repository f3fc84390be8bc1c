import { Secret } from '@valetkey/core/base/secret';
import { expect, test } from 'vitest';
import { loadOwnServer, type OwnServerOptions } from './own-server.ts';

const entra = {
  tenant: '8f5c0000-0000-4000-8000-000000000001',
  clientId: '31b20000-0000-4000-8000-000000000001',
  credential: { secret: 'a-secret-in-code' },
};
const minimal: OwnServerOptions = { publicUrl: 'http://localhost:3001', entra };

function load(options: unknown, env: Record<string, string> = {}) {
  return loadOwnServer(options, { env });
}
function mustLoad(options: unknown, env?: Record<string, string>) {
  const loaded = load(options, env);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}
function pathsOf(options: unknown): string[] {
  const loaded = load(options);
  return loaded.ok ? [] : loaded.error.map(({ path }) => path);
}

test('the least: an address, an app registration and its credential', () => {
  const { resource, server, direct, legacySse } = mustLoad(minimal);
  expect(resource).toMatchObject({
    path: '/mcp',
    resource: 'http://localhost:3001/mcp',
    scopes: [{ name: 'mcp.use' }],
  });
  expect(server?.entra.tenants).toEqual([entra.tenant]);
  expect([direct, legacySse]).toEqual([undefined, undefined]);
});

test.each<[string, unknown, Record<string, string>]>([
  ['a value', 'a-secret', {}],
  ['a Secret', new Secret('a-secret'), {}],
  ['a reference', 'env:CLIENT_SECRET', { CLIENT_SECRET: 'a-secret' }],
])('a secret in code may be %s', (_form, secret, env) => {
  const { server } = mustLoad({ ...minimal, entra: { ...entra, credential: { secret } } }, env);
  expect(server?.entra.credential).toMatchObject({ kind: 'secret' });
  const { credential } = server?.entra ?? {};
  expect(credential?.kind === 'secret' && credential.secret.reveal()).toBe('a-secret');
});

test('so may the address of the store with its password, and the keys', () => {
  const store = 'postgres://valetkey:pa55@db.contoso.com/valetkey';
  const { server } = mustLoad({ ...minimal, store });
  expect(server?.store).toMatchObject({ driver: 'postgres', username: 'valetkey' });
  expect(JSON.stringify(server)).not.toContain('pa55');
  expect(pathsOf({ ...minimal, keys: { environment: 'no ring' } })).toEqual(['keys.environment']);
});

test('A2 D7: all faults at once, each with its path, and none repeats a secret', () => {
  const loaded = load({
    publicUrl: 'http://mcp.contoso.com',
    entra: { tenant: 'common', clientId: '', credential: {} },
    keys: { environment: 'env:NOT_SET' },
    scopes: { 'mail.read': { description: 'Reads mail', entra: [] } },
    roles: ['two words'],
    store: 'postgres//valetkey:pa55@db',
    lifetimes: { refreshTokenSeconds: 300 },
    rolls: [],
  });
  const faults = loaded.ok ? [] : loaded.error;
  expect(faults.map(({ path }) => path).toSorted()).toEqual([
    'entra.clientId',
    'entra.credential',
    'entra.tenant',
    'keys.environment',
    'lifetimes.refreshTokenSeconds',
    'publicUrl',
    'roles[0]',
    'rolls',
    'scopes["mail.read"].entra',
    'store',
  ]);
  for (const { remedy } of faults) expect(remedy).not.toBe('');
  expect(faults.find(({ path }) => path === 'rolls')?.remedy).toBe('Did you mean roles?');
  expect(JSON.stringify(faults)).not.toContain('pa55');
});

test('A24: roles are what it takes to enter; tools have the rules of a backend', () => {
  const tools = { save_snippet: { anyRole: ['Snippets.Writer'] } };
  const { resource } = mustLoad({ ...minimal, roles: ['Snippets.Reader'], tools });
  expect(resource.rules.enter).toEqual({ anyRole: ['Snippets.Reader'] });
  expect(resource.rules.tools['save_snippet']).toEqual({ anyRole: ['Snippets.Writer'] });
  expect(pathsOf({ ...minimal, tools: { a: { scopes: ['mcp.uze'] } } })).toEqual(['tools.a.scopes[0]']);
});

test('Entra alone needs no credential; without both there is nobody to sign in with', () => {
  const { credential: _none, ...app } = entra;
  const alone = mustLoad({ ...minimal, entra: app, entraDirect: true });
  expect(alone.server).toBeUndefined();
  expect(alone.direct).toMatchObject({
    audience: [entra.clientId, 'http://localhost:3001/mcp'],
    allowsApplications: false,
  });
  expect(pathsOf({ ...minimal, entra: app })).toEqual(['entra.credential']);
  expect(mustLoad({ ...minimal, entraDirect: { only: true } }).server).toBeUndefined();
  expect(mustLoad({ ...minimal, entraDirect: { applications: 'allow' } }).server).toBeDefined();
});

test('the old pair of addresses is a resource of its own under the same rules', () => {
  const { legacySse, resource } = mustLoad({ ...minimal, legacySse: true });
  expect(legacySse?.resource.resource).toBe('http://localhost:3001/sse');
  expect(legacySse?.resource.rules).toEqual(resource.rules);
  expect(pathsOf({ ...minimal, legacySse: { sse: '/mcp' } })).toEqual(['legacySse']);
});
