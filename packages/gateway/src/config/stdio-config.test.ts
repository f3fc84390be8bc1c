import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadStdioConfig } from './stdio-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'valetkey-stdio-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string) {
  const file = join(folder, 'stdio.yaml');
  writeFileSync(file, text);
  return loadStdioConfig(file);
}

const entra = `entra:
  tenant: 8f5c0000-0000-4000-8000-0123456789ab
  clientId: 31b20000-0000-4000-8000-0123456789ab
`;

test('a tenant and a client are enough', () => {
  expect(load(entra)).toMatchObject({
    ok: true,
    value: {
      entra: { cloud: 'public' },
      signIn: { way: 'auto', tokenStore: 'keychain', timeoutSeconds: 300 },
      server: { name: 'stdio', identity: 'meta', tokens: {}, scopes: [] },
      audit: { stderr: false },
    },
  });
});

test('the policy is the section of a backend; paths start at the file', () => {
  const loaded = load(`${entra}
server:
  name: notes
  enter: { anyRole: [Reader], scopes: [notes.use] }
  tools:
    constructor: { allRoles: [Writer], scopes: [notes.write, notes.use] }
  identity: environment
  tokens: { GRAPH_TOKEN: [User.Read] }
signIn: { cacheDirectory: cache }
audit: { file: audit.jsonl }
`);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const { server, signIn, audit } = loaded.value;
  expect(server.rules.enter).toEqual({ anyRole: ['Reader'], scopes: ['notes.use'] });
  expect(Object.getPrototypeOf(server.rules.tools)).toBeNull();
  expect(server.scopes).toEqual(['notes.use', 'notes.write']);
  expect([signIn.cacheDirectory, audit.file]).toEqual([join(folder, 'cache'), join(folder, 'audit.jsonl')]);
});

test.each([
  ['A2 D7: no tenant', 'entra: { clientId: 31b20000-0000-4000-8000-0123456789ab }', 'entra.tenant'],
  ['A2 D7: a tenant that is no id', entra.replace(/8f5c\S+/, 'contoso.com'), 'entra.tenant'],
  ['an unknown word', `${entra}server: { tolls: {} }`, 'server.tolls'],
  ['an empty role list', `${entra}server: { enter: { anyRole: [] } }`, 'server.enter.anyRole'],
  ['a token with no way', `${entra}server: { identity: none, tokens: { A: [User.Read] } }`, 'server.tokens'],
  ['a token of a strange name', `${entra}server: { tokens: { a-b: [User.Read] } }`, 'server.tokens'],
])('%s is told with its path', (_name, text, path) => {
  const loaded = load(text);
  if (loaded.ok) throw new Error('expected a fault');
  expect(loaded.error[0]?.path).toContain(path);
});

test('a file that is not there is told', () => {
  expect(loadStdioConfig(join(folder, 'none.yaml'))).toMatchObject({ ok: false });
});
