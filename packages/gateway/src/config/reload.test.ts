import { Secret } from '@valetkey/core/base/secret';
import { expect, test } from 'vitest';
import type { Config } from './config.ts';
import { loadConfig } from './load.ts';
import { checkReload, isSameConfig } from './reload.ts';

const text = (lines: string) => `
publicUrl: https://mcp.contoso.com
entra:
  tenant: 11111111-1111-4111-8111-111111111111
  clientId: 22222222-2222-4222-8222-222222222222
  credential: { secret: env:SECRET }
store: sqlite:./valetkey.db
keys: { file: ./keys.json }
backends:
  snippets: { path: /snippets/mcp, upstream: 'http://127.0.0.1:7071/mcp' }
${lines}`;

function load(lines = '', secret = 'one'): Config {
  const loaded = loadConfig({ source: { text: text(lines) }, env: { SECRET: secret } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

const changedPaths = (next: Config) => checkReload(load(), next).map(({ path }) => path);

test.each([
  ['nothing', ''],
  ['a backend', '  other: { path: /other/mcp, upstream: "http://127.0.0.1:7072/mcp" }'],
  ['limits', 'limits: { mcpBodyBytes: 1000000 }'],
  ['clients', 'clients: { dynamicRegistration: false }'],
  ['origins and hosts', 'allowedOrigins: [https://app.contoso.com]\nallowedHosts: [gateway:8080]'],
])('a reload takes: %s', (_name, lines) => {
  expect(changedPaths(load(lines))).toEqual([]);
});

test('what needs a restart is named, all of it at once', () => {
  const next = load(
    'limits: { requestTimeoutMs: 5000 }\nlisten: { port: 9999 }\naudit: { stdout: false }\nclients: { metadataDocuments: { enabled: false } }',
    'two',
  );
  expect(changedPaths(next).toSorted()).toEqual([
    'audit',
    'clients.metadataDocuments',
    'entra',
    'limits.requestTimeoutMs',
    'listen',
  ]);
  expect(JSON.stringify(checkReload(load(), next))).not.toContain('two');
});

test('a section that this version does not know needs a restart too', () => {
  expect(changedPaths({ ...load(), soon: true } as Config)).toEqual(['soon']);
});

test('secrets are compared by what they hold', () => {
  expect(isSameConfig({ a: new Secret('x') }, { a: new Secret('x') })).toBe(true);
  expect(isSameConfig({ a: new Secret('x') }, { a: new Secret('y') })).toBe(false);
  expect(isSameConfig({ a: new Secret('x') }, { a: '[secret]' })).toBe(false);
  expect(isSameConfig(undefined, { a: 1 })).toBe(false);
});
