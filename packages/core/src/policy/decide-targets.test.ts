/** Rules for prompts and resources, by pattern, and who else a rule can name: groups, tenants, clients. */
import { expect, test } from 'vitest';
import type { Operation } from '../mcp/operation.ts';
import { createPolicy } from './decide.ts';
import type { Principal } from './principal.ts';
import type { BackendRules } from './rules.ts';

const caller = (parts: Partial<Principal> = {}): Principal => ({
  tenantId: 'tenant-1',
  objectId: 'o',
  roles: [],
  groups: [],
  scopes: [],
  clientId: 'c',
  sessionId: 's',
  ...parts,
});
const reader = caller({ roles: ['Reader'] });
const admin = caller({ roles: ['Reader', 'Admin'] });
const ask = (method: string, parts: Partial<Operation> = {}): Operation => ({
  method,
  id: 1,
  kind: 'request',
  ...parts,
});

const rules: BackendRules = {
  enter: { anyRole: ['Reader'] },
  tools: { 'delete_*': { anyRole: ['Admin'] }, delete_draft: {} },
  prompts: { 'admin_*': { anyRole: ['Admin'] } },
  resources: {
    'file:///projects/*': {},
    'file:///projects/secret/*': { anyRole: ['Admin'] },
    'file:///projects/secret/readme': {},
  },
  otherResources: 'deny',
};
const policy = createPolicy(rules);
const reasonFor = (principal: Principal, operation: Operation) => {
  const decision = policy.decide(principal, operation);
  return decision.allow ? 'allowed' : decision.reason;
};

test.each<[string, Operation, string, string]>([
  ['a tool of a pattern', ask('tools/call', { name: 'delete_all' }), 'missing_role', 'allowed'],
  ['an exact name beats a pattern', ask('tools/call', { name: 'delete_draft' }), 'allowed', 'allowed'],
  ['a prompt of a pattern', ask('prompts/get', { name: 'admin_report' }), 'missing_role', 'allowed'],
  ['another prompt', ask('prompts/get', { name: 'greeting' }), 'allowed', 'allowed'],
  ['a prompt without name', ask('prompts/get'), 'malformed_operation', 'malformed_operation'],
  ['a resource', ask('resources/read', { name: 'file:///projects/a' }), 'allowed', 'allowed'],
  [
    'of two patterns the more specific',
    ask('resources/read', { name: 'file:///projects/secret/a' }),
    'missing_role',
    'allowed',
  ],
  ['an exact URI', ask('resources/read', { name: 'file:///projects/secret/readme' }), 'allowed', 'allowed'],
  ['no rule', ask('resources/read', { name: 'file:///etc/passwd' }), 'no_rule', 'no_rule'],
  [
    'subscribing',
    ask('resources/subscribe', { name: 'file:///projects/secret/a' }),
    'missing_role',
    'allowed',
  ],
  ['unsubscribing', ask('resources/unsubscribe', { name: 'file:///x' }), 'no_rule', 'no_rule'],
  ['no URI', ask('resources/read'), 'malformed_operation', 'malformed_operation'],
  ['a task', ask('tasks/result', { name: 't1' }), 'allowed', 'allowed'],
])('A24: %s', (_case, operation, forReader, forAdmin) => {
  expect([reasonFor(reader, operation), reasonFor(admin, operation)]).toEqual([forReader, forAdmin]);
  expect(reasonFor(caller(), operation)).toMatch(/missing_role|malformed_operation/);
});

test.each([
  'file:///projects/../secret',
  'file:///projects/%2e%2e/secret',
  'file:///projects/..%2fsecret',
  'file:///projects/%252e%252e%252fsecret',
  'file:///projects/..\\secret',
  'file:///projects/%73ecret/a',
])('A24: %s fits a pattern and is refused all the same: a backend may read another resource', (name) => {
  for (const method of ['resources/read', 'resources/subscribe', 'resources/unsubscribe'])
    expect(reasonFor(admin, ask(method, { name }))).toBe('malformed_operation');
  expect(policy.isVisible(admin, 'resources', name)).toBe(false);
});

test('A24: dot segments are also refused where the others are open: they would walk around a rule', () => {
  const open = createPolicy({
    enter: {},
    tools: {},
    resources: { 'file:///secret': { anyRole: ['Admin'] } },
  });
  expect(open.decide(reader, ask('resources/read', { name: 'file:///x/../secret' })).allow).toBe(false);
  expect(open.decide(reader, ask('resources/read', { name: 'file:///x' })).allow).toBe(true);
});

test('A24: a URI that the operator wrote is meant, whatever it looks like', () => {
  const odd = createPolicy({ enter: {}, tools: {}, resources: { 'urn:a:..:b': {} }, otherResources: 'deny' });
  expect(odd.decide(reader, ask('resources/read', { name: 'urn:a:..:b' })).allow).toBe(true);
});

test('where no rule looks at resources or prompts, they pass as they are', () => {
  const open = createPolicy({ enter: {}, tools: { x: {} } });
  for (const method of ['resources/read', 'prompts/get', 'completion/complete', 'subscriptions/listen'])
    expect(open.decide(reader, ask(method, { name: 'file:///a/../b', uris: ['../b', null] })).allow).toBe(
      true,
    );
  expect([...open.filteredLists]).toEqual(['tools']);
});

test.each<[string, Partial<Operation>, string]>([
  ['a prompt', { ref: 'prompt', name: 'greeting' }, 'allowed'],
  ['a prompt of a rule', { ref: 'prompt', name: 'admin_report' }, 'missing_role'],
  ['a template within a rule', { ref: 'resource', name: 'file:///projects/x/{name}' }, 'allowed'],
  [
    'a template that reaches another rule',
    { ref: 'resource', name: 'file:///projects/{+path}' },
    'missing_role',
  ],
  ['a template that reaches beyond', { ref: 'resource', name: 'file:///{+path}' }, 'missing_role'],
  ['neither', { name: 'greeting' }, 'malformed_operation'],
  ['no name', { ref: 'resource' }, 'malformed_operation'],
])('A24: a completion is judged by what it is about: %s', (_case, parts, expected) => {
  expect(reasonFor(reader, ask('completion/complete', parts))).toBe(expected);
});

test.each<[string, unknown[], string]>([
  ['nothing', [], 'allowed'],
  ['what may be read', ['file:///projects/a', 'file:///projects/b'], 'allowed'],
  ['one that may not', ['file:///projects/a', 'file:///projects/secret/a'], 'missing_role'],
  ['one without a rule', ['file:///projects/a', 'file:///x'], 'no_rule'],
  ['what is no text', [undefined], 'malformed_operation'],
])('A24: a subscription wants to hear of %s', (_case, uris, expected) => {
  expect(reasonFor(reader, ask('subscriptions/listen', { uris }))).toBe(expected);
});

test('A14: what falls under several rules names the scopes of all of them at once', () => {
  const scoped = createPolicy({
    enter: { scopes: ['use'] },
    tools: {},
    resources: { 'a:*': { scopes: ['read.a'] }, 'b:*': { scopes: ['read.b'] } },
  });
  const both = scoped.decide(
    caller({ scopes: ['use'] }),
    ask('subscriptions/listen', { uris: ['a:1', 'b:1'] }),
  );
  expect(both).toMatchObject({
    reason: 'insufficient_scope',
    missingScopes: ['use', 'read.a', 'read.b'],
  });
});

test('A24: lists show what may be used: templates to whoever can read something of them', () => {
  const { isVisible } = policy;
  expect(isVisible(reader, 'prompts', 'admin_report')).toBe(false);
  expect(isVisible(admin, 'prompts', 'admin_report')).toBe(true);
  expect(isVisible(reader, 'resources', 'file:///projects/secret/a')).toBe(false);
  expect(isVisible(reader, 'resources', 'file:///x')).toBe(false);
  expect(isVisible(reader, 'resourceTemplates', 'file:///projects/{+path}')).toBe(true);
  expect(isVisible(reader, 'resourceTemplates', 'file:///projects/secret/{day}/{hour}')).toBe(false);
  expect(isVisible(reader, 'resourceTemplates', 'file:///etc/{name}')).toBe(false);
  expect(isVisible(caller(), 'resourceTemplates', 'file:///projects/{+path}')).toBe(false);
  expect(isVisible(admin, 'resourceTemplates', 'file:///projects/../{name}')).toBe(false);
});

const documents = 'https://claude.ai/*';
test.each<[string, BackendRules['enter'], Partial<Principal>, Partial<Principal>, string]>([
  ['group', { anyGroup: ['g1', 'g2'] }, { groups: ['g0', 'g2'] }, { groups: ['G2', 'g0'] }, 'missing_group'],
  ['tenant', { tenants: ['tenant-1'] }, {}, { tenantId: 'tenant-2' }, 'wrong_tenant'],
  ['client', { clients: ['c', 'd'] }, {}, { clientId: 'C' }, 'wrong_client'],
  [
    'host of a client’s document',
    { clients: [documents] },
    { clientId: 'https://claude.ai/oauth/client.json' },
    { clientId: 'https://claude.ai.evil.example/client.json' },
    'wrong_client',
  ],
])('A24: by %s', (_what, enter, good, bad, reason) => {
  const only = createPolicy({ enter, tools: {} });
  const ping = ask('ping');
  expect(only.decide(caller(good), ping)).toEqual({ allow: true });
  expect(only.decide(caller(bad), ping)).toMatchObject({ allow: false, reason, missingRoles: [] });
  expect(only.decide(caller(good), ping), 'and the cache keeps them apart').toEqual({ allow: true });
});

test.each([
  'https://claude.ai@evil.example/client.json',
  'https://evil.example/https://claude.ai/',
  'http://claude.ai/client.json',
  'https://claude.ai:8443/client.json',
  'https://sub.claude.ai/client.json',
  'claude.ai',
])('A24: %s is no client of https://claude.ai/*', (clientId) => {
  const only = createPolicy({ enter: { clients: [documents] }, tools: {} });
  expect(only.decide(caller({ clientId }), ask('ping')).allow).toBe(false);
});

test('A24: a list of no groups, tenants or clients is met by nobody', () => {
  for (const enter of [{ anyGroup: [] }, { tenants: [] }, { clients: [] }])
    expect(createPolicy({ enter, tools: {} }).decide(caller({ groups: ['g'] }), ask('ping')).allow).toBe(
      false,
    );
});

test('A22: a name longer than any server has is refused before patterns look at it', () => {
  expect(reasonFor(admin, ask('tools/call', { name: 'a'.repeat(8193) }))).toBe('malformed_operation');
});
