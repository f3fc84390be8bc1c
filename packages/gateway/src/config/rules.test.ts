import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from './load.ts';
import { loadStdioConfig } from './stdio-config.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const tenant = '8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e';
const otherTenant = '9f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e';
const group = '70000000-0000-4000-8000-000000000001';
const clientId = '31b2aaaa-4d0e-4b5c-9d0e-3f1a2b3c4d5e';

function load(rules: Record<string, unknown>) {
  const files = {
    path: '/files/mcp',
    upstream: 'http://127.0.0.1:7071/mcp',
    scopes: ['files.use'],
    ...rules,
  };
  const document = {
    publicUrl: 'https://mcp.contoso.com',
    entra: { tenant, clientId, credential: { managedIdentity: { clientId } } },
    backends: { files },
  };
  return loadConfig({ source: { text: stringify(document) }, env: {} });
}

test('every kind of rule is read as it is written; what is not said is open', () => {
  const requirement = { anyGroup: [group], tenants: [tenant], clients: ['c', 'https://claude.ai/*'] };
  const loaded = load({
    enter: requirement,
    tools: {
      'delete_*': requirement,
      '*': { readOnlyUnless: { allRoles: ['Writer'], scopes: ['files.use'] } },
    },
    prompts: { 'admin_*': requirement, constructor: {} },
    resources: { 'file:///projects/*': requirement },
    otherResources: 'deny',
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const [backend] = loaded.value.backends;
  expect(backend?.rules).toEqual({
    enter: requirement,
    tools: {
      'delete_*': requirement,
      '*': { readOnlyUnless: { allRoles: ['Writer'], scopes: ['files.use'] } },
    },
    prompts: { 'admin_*': requirement, constructor: {} },
    resources: { 'file:///projects/*': requirement },
    otherTools: 'allow',
    otherPrompts: 'allow',
    otherResources: 'deny',
  });
  for (const kind of ['tools', 'prompts', 'resources'] as const)
    expect(Object.getPrototypeOf(backend?.rules[kind]), kind).toBeNull();
});

test.each<[string, Record<string, unknown>, string, string]>([
  ['two stars in a row', { tools: { 'a**': {} } }, 'tools["a**"]', 'Write one'],
  ['an empty name', { prompts: { '': {} } }, 'prompts[""]', '1 to 128'],
  ['a name that is too long', { tools: { ['a'.repeat(129)]: {} } }, `tools.${'a'.repeat(129)}`, '1 to 128'],
  ['a control character', { tools: { 'a\u0007': {} } }, 'tools["a\\u0007"]', 'Remove control characters'],
  [
    'a pattern that climbs',
    { resources: { 'file:///a/../*': {} } },
    'resources["file:///a/../*"]',
    'without . and ..',
  ],
  [
    'a pattern with an escape',
    { resources: { 'file:///%61*': {} } },
    'resources["file:///%61*"]',
    'letters as they are',
  ],
  [
    'two patterns of equal weight',
    { tools: { 'delete_*': {}, '*_filexy': {} } },
    'tools["*_filexy"]',
    'Make one of them longer',
  ],
  ['a scope that does not exist', { enter: { scopes: ['files.usee'] } }, 'enter.scopes[0]', 'files.use?'],
  [
    'a scope behind a condition',
    { tools: { '*': { readOnlyUnless: { scopes: ['x'] } } } },
    'tools["*"].readOnlyUnless.scopes[0]',
    'files.use',
  ],
  [
    'a scope at a resource',
    { resources: { 'file:///a': { scopes: ['x'] } } },
    'resources["file:///a"].scopes[0]',
    'files.use',
  ],
  ['a scope at a prompt', { prompts: { p: { scopes: ['x'] } } }, 'prompts.p.scopes[0]', 'files.use'],
  [
    'a tenant that may not sign in',
    { enter: { tenants: [otherTenant] } },
    'enter.tenants[0]',
    'entra.tenant',
  ],
  ['a group by name', { enter: { anyGroup: ['Developers'] } }, 'enter.anyGroup[0]', 'Copy the id'],
  [
    'a group in capitals',
    { enter: { anyGroup: [group.replace('7', 'A')] } },
    'enter.anyGroup[0]',
    'a0000000',
  ],
  ['no group', { enter: { anyGroup: [] } }, 'enter.anyGroup', 'Write at least 1 entry'],
  [
    'a client that is a pattern',
    { enter: { clients: ['https://claude.ai*'] } },
    'enter.clients[0]',
    'https://host/*',
  ],
  [
    'a host of any subdomain',
    { enter: { clients: ['https://*.claude.ai/*'] } },
    'enter.clients[0]',
    'https://host/*',
  ],
  [
    'a host over plain http',
    { enter: { clients: ['http://claude.ai/*'] } },
    'enter.clients[0]',
    'https://host/*',
  ],
  [
    'a host in capitals',
    { enter: { clients: ['https://Claude.ai/*'] } },
    'enter.clients[0]',
    'small letters',
  ],
  [
    'a condition at a prompt',
    { prompts: { p: { readOnlyUnless: {} } } },
    'prompts.p.readOnlyUnless',
    'Known here',
  ],
  ['a word that is no answer', { otherPrompts: 'hide' }, 'otherPrompts', 'allow, deny'],
])('A2: %s is a fault with its place and what to write', (_case, rules, path, remedy) => {
  const loaded = load(rules);
  expect(loaded.ok ? [] : loaded.error).toEqual([
    { path: `backends.files.${path}`, problem: expect.any(String), remedy: expect.stringContaining(remedy) },
  ]);
});

test('A2: faults of rules come all at once', () => {
  const loaded = load({
    tools: { 'ab*': { scopes: ['x'] }, 'a*b': { tenants: [otherTenant] }, '*ab': {} },
    prompts: { 'p*': {}, '*p': {} },
  });
  expect(loaded.ok ? [] : loaded.error.map(({ path }) => path.replace('backends.files.', ''))).toEqual([
    'tools["ab*"].scopes[0]',
    'tools["a*b"].tenants[0]',
    'tools["a*b"]',
    'tools["*ab"]',
    'tools["*ab"]',
    'prompts["*p"]',
  ]);
});

test('a server of one’s own takes the same rules, and every scope of them is had', () => {
  const folder = mkdtempSync(join(tmpdir(), 'valetkey-rules-'));
  const file = join(folder, 'stdio.yaml');
  const loadServer = (server: Record<string, unknown>) => {
    writeFileSync(file, stringify({ entra: { tenant, clientId }, server }));
    return loadStdioConfig(file);
  };
  try {
    const loaded = loadServer({
      tools: { '*': { readOnlyUnless: { scopes: ['write'] } } },
      prompts: { 'p*': { scopes: ['prompt'] } },
      resources: { 'file:///a/*': { scopes: ['read'] } },
      otherPrompts: 'deny',
    });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
    expect(loaded.value.server.scopes).toEqual(['write', 'prompt', 'read']);
    expect(loaded.value.server.rules).toMatchObject({ otherPrompts: 'deny', otherTools: 'allow' });
    const ambiguous = loadServer({ tools: { 'a*': {}, '*a': {} } });
    expect(ambiguous.ok ? [] : ambiguous.error).toMatchObject([{ path: 'server.tools["*a"]' }]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
