import type { Operation } from '@valetkey/core/mcp/operation';
import { createPolicy } from '@valetkey/core/policy/decide';
import type { Principal } from '@valetkey/core/policy/principal';
import type { BackendRules } from '@valetkey/core/policy/rules';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { openSealedStore } from '../session/sealed-store.suite.ts';
import type { Asked } from './asked.ts';
import { createListFilter } from './list-filter.ts';
import { createToolAnnotations } from './tool-annotations.ts';

const reader: Principal = {
  tenantId: 't',
  objectId: 'o',
  roles: ['Reader'],
  groups: [],
  scopes: [],
  clientId: 'c',
  sessionId: 's',
};
const readOnly: BackendRules = { enter: {}, tools: { '*': { readOnlyUnless: { anyRole: ['Writer'] } } } };

function open(rules: BackendRules) {
  const warned: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warned.push(line) });
  const clock = { nowMs: () => Date.now() };
  const annotations = createToolAnnotations({ backend: 'a', store: openSealedStore(clock), clock, log });
  const policy = createPolicy(rules);
  const filter = createListFilter({ backend: { name: 'a' }, policy, annotations, log });
  const rewrite = (asked: Asked, message: unknown, method = 'POST') =>
    filter.findRewrite(reader, method, asked)?.(message) ?? message;
  return { rewrite, annotations, warned };
}

const ask = (...methods: string[]): Asked => ({
  bytes: undefined,
  operations: methods.map((method, index): Operation => ({ method, id: index + 1, kind: 'request' })),
  isBatch: methods.length > 1,
  era: 'legacy',
});
const answer = (id: unknown, tools: unknown, more: object = {}) => ({
  jsonrpc: '2.0',
  id,
  result: { tools, ...more },
});
const get = { name: 'get', annotations: { readOnlyHint: true } };
const save = { name: 'save', annotations: { readOnlyHint: false } };

test('A24: the answer to a tools/list is filtered, and what it says of the tools is heard', () => {
  const { rewrite, annotations } = open(readOnly);
  expect(rewrite(ask('tools/list'), answer(1, [get, save]))).toEqual(answer(1, [get]));
  expect([annotations.isReadOnly('get'), annotations.isReadOnly('save')]).toEqual([true, false]);
});

test.each<[string, Asked, unknown, string]>([
  ['a batch', ask('tools/list', 'tools/call'), [answer(1, [get])], 'POST'],
  ['an answer to something else', ask('tools/list'), answer(2, [get]), 'POST'],
  ['an answer to no request', ask('tools/list'), answer(null, [get]), 'POST'],
  ['a replayed stream', ask('http GET'), answer(1, [get]), 'GET'],
  ['a call whose result looks like a list', ask('tools/call'), answer(1, [get]), 'POST'],
])('A24: nothing is heard from %s: a caller may have put it there', (_case, asked, message, method) => {
  const { rewrite, annotations } = open(readOnly);
  rewrite(asked, message, method);
  expect(annotations.isReadOnly('get')).toBeUndefined();
});

test('A24: a replayed stream and a batch are filtered all the same', () => {
  const { rewrite } = open(readOnly);
  expect(rewrite(ask('http GET'), answer(1, [get, save]), 'GET')).toEqual(answer(1, [get]));
  const batch = [answer(1, [get, save]), { jsonrpc: '2.0', id: 2, result: {} }];
  expect(rewrite(ask('tools/list', 'ping'), batch)).toEqual([answer(1, [get]), batch[1]]);
});

test('an answer that no rule can change is not looked at', () => {
  const { rewrite } = open({ enter: {}, tools: {}, prompts: { p: { anyRole: ['Writer'] } } });
  const message = answer(1, [get, save]);
  expect(rewrite(ask('tools/list'), message)).toBe(message);
  expect(rewrite(ask('tools/call'), message)).toBe(message);
  const prompts = { jsonrpc: '2.0', id: 1, result: { prompts: [{ name: 'p' }, { name: 'q' }] } };
  expect(rewrite(ask('prompts/list'), prompts)).toMatchObject({ result: { prompts: [{ name: 'q' }] } });
});

test('A24: a name or a pattern that fits no tool of a whole list is warned about, once', () => {
  const tools = { get: {}, 'sav*': {}, gett: {}, 'delete_*': {} };
  const { rewrite, warned } = open({ enter: {}, tools });
  rewrite(ask('tools/list'), answer(1, [get], { nextCursor: 'more' }));
  expect(warned, 'the list goes on').toEqual([]);
  for (let times = 0; times < 3; times += 1) rewrite(ask('tools/list'), answer(1, [save]));
  expect(warned.map((line) => (JSON.parse(line) as { tools: string[] }).tools)).toEqual([
    ['gett', 'delete_*'],
  ]);
});
