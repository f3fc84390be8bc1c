import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { callerWith } from './caller.suite.ts';
import type { Operation } from '../mcp/operation.ts';
import { createPolicy } from './decide.ts';
import { type Principal, personId } from './principal.ts';
import type { BackendRules } from './rules.ts';

const call = (name: string): Operation => ({ method: 'tools/call', name, id: 1, kind: 'request' });
const list: Operation = { method: 'tools/list', id: 1, kind: 'request' };

const rules: BackendRules = {
  enter: { anyRole: ['Reader', 'Writer'], scopes: ['use'] },
  tools: {
    save_snippet: { anyRole: ['Writer'] },
    purge: { allRoles: ['Writer', 'Admin'], scopes: ['purge'] },
    export: { scopes: ['export'] },
    closed: { anyRole: [] },
    free: {},
  },
};
const policy = createPolicy(rules);

test.each<[string, string[], string[], Operation]>([
  ['a reader lists', ['Reader'], ['use'], list],
  ['a reader calls a tool without a rule', ['Reader'], ['use'], call('get_snippet')],
  ['a reader calls a tool with an empty rule', ['Reader'], ['use'], call('free')],
  ['a writer saves', ['Writer'], ['use'], call('save_snippet')],
  ['a writer and administrator purges', ['Admin', 'Writer'], ['purge', 'use'], call('purge')],
  ['a scope steps up', ['Reader'], ['use', 'export'], call('export')],
  ['a notification', ['Reader'], ['use'], { method: 'notifications/cancelled', kind: 'notification' }],
  ['a response', ['Reader'], ['use'], { method: '', kind: 'response' }],
])('A24: allowed: %s', (_name, roles, scopes, operation) => {
  expect(policy.decide(callerWith(roles, scopes), operation)).toEqual({ allow: true });
});

test.each<[string, string[], string[], Operation, string, string[], string[]]>([
  ['no role', [], ['use'], list, 'missing_role', ['Reader', 'Writer'], []],
  [
    'no role, for a response',
    [],
    ['use'],
    { method: '', kind: 'response' },
    'missing_role',
    ['Reader', 'Writer'],
    [],
  ],
  ['another case', ['reader'], ['use'], list, 'missing_role', ['Reader', 'Writer'], []],
  ['a reader saves', ['Reader'], ['use'], call('save_snippet'), 'missing_role', ['Writer'], []],
  [
    'the tool role alone',
    ['Admin'],
    ['use', 'purge'],
    call('purge'),
    'missing_role',
    ['Reader', 'Writer'],
    [],
  ],
  ['one of two roles', ['Writer'], ['use', 'purge'], call('purge'), 'missing_role', ['Admin'], []],
  ['no scope', ['Reader'], [], list, 'insufficient_scope', [], ['use']],
  [
    'A14: all scopes are named',
    ['Reader'],
    ['use'],
    call('export'),
    'insufficient_scope',
    [],
    ['use', 'export'],
  ],
  [
    'role and scope',
    ['Reader'],
    ['use'],
    call('purge'),
    'missing_role',
    ['Writer', 'Admin'],
    ['use', 'purge'],
  ],
  ['a list of no roles', ['Writer'], ['use'], call('closed'), 'missing_role', [], []],
])('A24 A14: denied: %s', (_name, roles, scopes, operation, reason, missingRoles, missingScopes) => {
  const decision = policy.decide(callerWith(roles, scopes), operation);
  expect(decision).toMatchObject({ allow: false, reason, missingRoles, missingScopes });
});

test('A14 D9: the description says in words what is missing', () => {
  const describe = (roles: string[], scopes: string[], operation: Operation) => {
    const decision = policy.decide(callerWith(roles, scopes), operation);
    return decision.allow ? '' : decision.description;
  };
  expect(describe([], ['use'], list)).toBe('this server needs the role Reader or Writer');
  expect(describe(['Writer'], ['use', 'purge'], call('purge'))).toBe('tool purge needs the role Admin');
  expect(describe(['Reader'], ['use'], call('export'))).toBe('tool export needs the scope use export');
  expect(describe(['Writer'], ['use'], call('closed'))).toBe('tool closed needs a role that nobody has');
});

test('A24: a tool call as a notification is judged by the rule of the tool', () => {
  const decision = policy.decide(callerWith(['Reader'], ['use']), {
    ...call('save_snippet'),
    kind: 'notification',
  });
  expect(decision).toMatchObject({ allow: false, reason: 'missing_role' });
});

test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'Save_Snippet', 'save_snippet '])(
  'A24: the tool name %j finds no rule of another name',
  (name) => {
    expect(policy.decide(callerWith(['Reader'], ['use']), call(name))).toEqual({ allow: true });
    expect(policy.decide(callerWith([], ['use']), call(name)).allow).toBe(false);
  },
);

test('A24: a rule for `__proto__` is a rule like any other', () => {
  const tools: BackendRules['tools'] = JSON.parse(
    '{"__proto__":{"anyRole":["Root"]},"constructor":{"anyRole":["Root"]}}',
  );
  const strange = createPolicy({ enter: {}, tools });
  expect(strange.decide(callerWith(), call('__proto__')).allow).toBe(false);
  expect(strange.decide(callerWith(), call('constructor')).allow).toBe(false);
  expect(strange.decide(callerWith(['Root']), call('__proto__')).allow).toBe(true);
  expect(strange.decide(callerWith(), call('other')).allow).toBe(true);
});

const { name: _name, ...nameless } = call('x');
test.each<[string, unknown]>([
  ['no name', nameless],
  ['an empty name', call('')],
  ['a number as name', { ...nameless, name: 7 }],
  ['a list as name', { ...nameless, name: ['save_snippet'] }],
  ['NUL in the name', call('save_snippet\u0000')],
  ['a line break in the name', call('save\nsnippet')],
  ['half a surrogate pair', call('save\ud800')],
  ['no method', { ...list, method: '' }],
  ['a method that is no text', { ...list, method: 1 }],
  ['NUL in the method', { ...call('save_snippet'), method: 'tools/call\u0000' }],
])('A24: what cannot be understood is denied: %s', (_case, operation) => {
  const everything = callerWith(['Reader', 'Writer', 'Admin'], ['use', 'purge', 'export']);
  expect(policy.decide(everything, operation as Operation)).toMatchObject({
    allow: false,
    reason: 'malformed_operation',
  });
});

test('a principal without roles or scopes is denied, not a fault', () => {
  const broken = { ...callerWith(), roles: undefined } as unknown as Principal;
  expect(createPolicy({ enter: {}, tools: {} }).decide(broken, list).allow).toBe(false);
});

test('CVE-2026-8719 A24: a tool is visible by role; one that lacks a scope only stays visible', () => {
  const reader = callerWith(['Reader'], ['use']);
  const names = ['save_snippet', 'purge', 'export', 'free', 'unlisted', 'closed', '', 'a\u0000'];
  expect(names.filter((name) => policy.isVisible(reader, 'tools', name))).toEqual([
    'export',
    'free',
    'unlisted',
  ]);
  expect(policy.isVisible(callerWith(), 'tools', 'free')).toBe(false);
});

test('A24: cached decisions are those of an uncached policy, for any mix of callers', () => {
  const some = (names: string[]) => fc.array(fc.constantFrom(...names), { maxLength: 6 });
  const operations = [list, ...[...Object.keys(rules.tools), 'x,1', '1|0'].map(call)];
  fc.assert(
    fc.property(
      some(['Reader', 'Writer', 'Admin', 'Reader,Writer', '0', '0,1', '']),
      some(['use', 'purge', 'export', 'use purge', '|']),
      fc.constantFrom(...operations),
      (roles, scopes, operation) => {
        const fresh = createPolicy(rules).decide(callerWith(roles, scopes), operation);
        expect(policy.decide(callerWith(roles, scopes), operation)).toEqual(fresh);
        expect(policy.decide(callerWith(roles.toReversed(), scopes.toReversed()), operation)).toEqual(fresh);
      },
    ),
  );
});

test('a decision out of the cache cannot be changed for the next caller', () => {
  const decision = policy.decide(callerWith([], ['use']), list);
  expect(Object.isFrozen(decision) && !decision.allow && Object.isFrozen(decision.missingRoles)).toBe(true);
});

test('decisions stay right when there are more kinds of callers than the cache holds', () => {
  const names = Array.from({ length: 60 }, (_, index) => `r${index}`);
  const large = createPolicy({ enter: { anyRole: names }, tools: {} });
  for (let at = 0; at < 3000; at += 1) {
    const held = names.filter((_, index) => ((at * 2654435761) >>> (index % 31)) & 1);
    expect(large.decide(callerWith(held), list).allow).toBe(held.length > 0);
  }
});

test('a person is named by tenant and object id', () => {
  expect(personId(callerWith())).toBe('t.o');
});

test('A24: with `otherTools: deny` a tool without a rule is for nobody, and the server itself stays open', () => {
  const closed = createPolicy({ enter: {}, tools: { known: { anyRole: ['Reader'] } }, otherTools: 'deny' });
  const reader = callerWith(['Reader', 'Admin']);
  expect(closed.decide(reader, call('known'))).toEqual({ allow: true });
  expect(closed.decide(reader, call('unknown'))).toMatchObject({ allow: false, reason: 'no_rule' });
  expect(closed.isVisible(reader, 'tools', 'unknown')).toBe(false);
  expect(closed.decide(reader, list)).toEqual({ allow: true });
});
