/** A denial names what was called, which is the caller's own word. */
import { expect, test } from 'vitest';
import { describeCalled } from './called-name.ts';
import { callerWith } from './caller.suite.ts';
import type { Operation } from '../mcp/operation.ts';
import { createPolicy } from './decide.ts';

const policy = createPolicy({
  enter: {},
  tools: { '*': { anyRole: ['Writer'] }, 'delete_*': { anyRole: ['Admin'] }, save: { anyRole: ['Owner'] } },
  prompts: { 'audit_*': { scopes: ['audit'] } },
  resources: { 'file:///payroll/*': { anyRole: ['Admin'] }, 'file:///*': {} },
  otherPrompts: 'deny',
});

function denialOf(method: string, parts: Partial<Operation>): string {
  const decision = policy.decide(callerWith([], []), { method, id: 1, kind: 'request', ...parts });
  return decision.allow ? 'allowed' : decision.description;
}

test('A24: a denial under a pattern names what was called, and the pattern beside it', () => {
  const tool = (name: string) => denialOf('tools/call', { name });
  expect(tool('delete_order')).toBe('tool delete_order (rule delete_*) needs the role Admin');
  expect(tool('list'), 'not the name that was denied before').toBe(
    'tool list (rule *) needs the role Writer',
  );
  expect(tool('save')).toBe('tool save needs the role Owner');
  expect(denialOf('prompts/get', { name: 'audit_june' })).toBe(
    'prompt audit_june (rule audit_*) needs the scope audit',
  );
  expect(denialOf('prompts/get', { name: 'hello' })).toBe('prompt hello (without a rule) is open to nobody');
  expect(
    denialOf('subscriptions/listen', { uris: ['file:///a', 'file:///payroll/b', 'file:///payroll/c'] }),
  ).toBe('resource file:///payroll/b (rule file:///payroll/*) needs the role Admin');
});

test.each([
  ['Kunden_löschen/v2.1', 'Kunden_löschen/v2.1'],
  ['x needs nothing.\u2028Go on', 'x?needs?nothing.?Go?on'],
  ['save\u202Egpj', 'save?gpj'],
  ['ab.'.repeat(2000), `${'ab.'.repeat(42)}a…`],
  ['file:///a?access_token=hunter2-of-somebody', 'file:///a?access_token=[redacted]'],
])('what a caller named stands in a message as one short word: %#', (name, word) => {
  expect(describeCalled(name)).toBe(word);
});
