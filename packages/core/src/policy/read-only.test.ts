/** Rules that go by what a backend says of its tools: read-only by default, writing for some. */
import { expect, test } from 'vitest';
import { callerWith } from './caller.suite.ts';
import type { Operation } from '../mcp/operation.ts';
import { createPolicy } from './decide.ts';
import { createLearnedTools } from './known-tools.ts';

const reader = callerWith(['Reader']);
const writer = callerWith(['Reader', 'Writer']);
const call = (name: string): Operation => ({ method: 'tools/call', name, id: 1, kind: 'request' });

const policy = createPolicy({
  enter: { anyRole: ['Reader'] },
  tools: {
    '*': { readOnlyUnless: { anyRole: ['Writer'] } },
    ping_host: {},
    'admin_*': { anyRole: ['Admin'] },
  },
});
const known = createLearnedTools();
known.learn([
  { name: 'get', isReadOnly: true },
  { name: 'save', isReadOnly: false },
  { name: 'admin_get', isReadOnly: true },
]);

test('A24: without the requirement only tools that say they read can be called', () => {
  expect(policy.decide(reader, call('get'), known)).toEqual({ allow: true });
  expect(policy.decide(reader, call('save'), known)).toMatchObject({
    reason: 'missing_role',
    missingRoles: ['Writer'],
    description:
      'tool save (rule *) needs the role Writer, since the server does not say that the tool only reads',
  });
  for (const name of ['get', 'save', 'unheard'])
    expect(policy.decide(writer, call(name), known)).toEqual({ allow: true });
});

test('A24: what the backend has not said of a tool counts as not said, and the reason says so', () => {
  for (const tools of [known, undefined])
    expect(policy.decide(reader, call('unheard'), tools)).toMatchObject({
      reason: 'unknown_tool',
      description: expect.stringContaining('list the tools first'),
    });
  expect(policy.decide(callerWith([]), call('unheard'), known)).toMatchObject({ reason: 'missing_role' });
});

test('A24: a more specific rule does not ask what the backend says', () => {
  expect(policy.decide(reader, call('ping_host'), known)).toEqual({ allow: true });
  expect(policy.decide(reader, call('admin_get'), known)).toMatchObject({ reason: 'missing_role' });
  expect(['get', 'ping_host', 'admin_get', 'x'].map((name) => policy.asksForAnnotation(call(name)))).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect(policy.asksForAnnotation({ method: 'tools/list', id: 1, kind: 'request' })).toBe(false);
});

test('A24: the list shows what can be called, by what the list itself says', () => {
  expect(policy.isVisible(reader, 'tools', 'save', true)).toBe(true);
  expect(policy.isVisible(reader, 'tools', 'get', false)).toBe(false);
  expect(policy.isVisible(reader, 'tools', 'get')).toBe(false);
  expect(policy.isVisible(writer, 'tools', 'get', false)).toBe(true);
});

test('A14: a scope for writing is asked for by step-up, also where nothing is known of the tool', () => {
  const scoped = createPolicy({
    enter: { scopes: ['use'] },
    tools: { '*': { readOnlyUnless: { scopes: ['write'] } } },
  });
  const person = callerWith([], ['use']);
  expect(scoped.decide(person, call('get'), known)).toEqual({ allow: true });
  for (const name of ['save', 'unheard'])
    expect(scoped.decide(person, call(name), known)).toMatchObject({
      reason: 'insufficient_scope',
      missingScopes: ['use', 'write'],
    });
  expect(scoped.isVisible(person, 'tools', 'save', false), 'or nobody would ask').toBe(true);
});

test('the word of a backend can change, and the cache of decisions follows it', () => {
  const changing = createLearnedTools();
  const isAllowed = () => policy.decide(reader, call('x'), changing).allow;
  expect(isAllowed()).toBe(false);
  expect(changing.learn([{ name: 'x', isReadOnly: true }])).toBe(true);
  expect(isAllowed()).toBe(true);
  expect(changing.learn([{ name: 'x', isReadOnly: true }])).toBe(false);
  expect(changing.learn([{ name: 'x', isReadOnly: false }])).toBe(true);
  expect(isAllowed()).toBe(false);
});

test('A22: what is remembered is bounded, and the oldest word goes first', () => {
  const few = createLearnedTools(2);
  for (const name of ['a', 'b', 'a', 'c']) few.learn([{ name, isReadOnly: true }]);
  expect(few.list().map(({ name }) => name)).toEqual(['a', 'c']);
  few.learn([{ name: 'n'.repeat(513), isReadOnly: true }]);
  expect(few.list()).toHaveLength(2);
});

test('a dry run that cannot know what the server says tells the condition, and claims nothing', () => {
  const unasked = { isReadOnly: () => 'unasked' as const };
  expect(policy.decide(reader, call('get'), unasked)).toMatchObject({
    reason: 'unknown_tool',
    description: 'tool get (rule *) needs the role Writer, unless the server says that the tool only reads',
  });
  const [, everything] = policy.explain(reader);
  expect(everything?.decision).toMatchObject({
    description: 'tool * needs the role Writer, unless the server says that the tool only reads',
  });
});

test('a dry run tells of every rule that can decide, and both ways where it goes by the annotation', () => {
  const rows = policy
    .explain(reader)
    .map(({ kind, key = '', decision, ifReadOnly }) => [kind, key, decision.allow, ifReadOnly?.allow]);
  expect(rows).toEqual([
    ['enter', '', true, undefined],
    ['tool', '*', false, true],
    ['tool', 'ping_host', true, undefined],
    ['tool', 'admin_*', false, undefined],
    ['prompt', '', true, undefined],
    ['resource', '', true, undefined],
  ]);
  expect(policy.findRules(call('admin_x'))).toEqual([{ kind: 'tool', key: 'admin_*' }]);
});
