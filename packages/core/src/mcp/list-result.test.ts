import { expect, test } from 'vitest';
import { filterListResult } from './list-result.ts';

const mayRead = (name: string) => name === 'get' || name === 'constructor';
const answer = (result: unknown) => ({ jsonrpc: '2.0', id: 1, result });

test('A24: tools that the caller may not call are dropped, the rest is untouched', () => {
  const message = answer({
    tools: [{ name: 'get', a: 1 }, { name: 'save' }],
    nextCursor: 'c',
    _meta: { b: 2 },
  });
  const before = structuredClone(message);
  expect(filterListResult(message, mayRead, 'legacy')).toEqual(
    answer({ tools: [{ name: 'get', a: 1 }], nextCursor: 'c', _meta: { b: 2 } }),
  );
  expect(message).toEqual(before);
});

test.each([
  ['a tool without name', [{}, { name: 1 }, null, 'get', { name: 'get' }]],
  ['a name that is inherited', [Object.create({ name: 'get' }), { name: 'get' }]],
])('A24: dropped unasked: %s', (_name, tools) => {
  expect(filterListResult(answer({ tools }), mayRead, 'legacy')).toEqual(
    answer({ tools: [{ name: 'get' }] }),
  );
});

test('A24: a list that is no list shows nothing', () => {
  expect(filterListResult(answer({ tools: { 0: { name: 'save' } } }), mayRead, 'legacy')).toEqual(
    answer({ tools: [] }),
  );
});

test.each([
  ['modern, public', { cacheScope: 'public', ttlMs: 5 }, 'modern', { cacheScope: 'private', ttlMs: 5 }],
  ['modern, absent', {}, 'modern', { cacheScope: 'private' }],
  ['legacy, public', { cacheScope: 'public' }, 'legacy', { cacheScope: 'private' }],
  ['legacy, odd', { cacheScope: null }, 'legacy', { cacheScope: 'private' }],
] as const)('A24: a list is private to its caller: %s', (_name, extra, era, expected) => {
  const tools = [{ name: 'get' }];
  expect(filterListResult(answer({ tools, ...extra }), mayRead, era)).toEqual(answer({ tools, ...expected }));
});

test.each<[string, unknown, 'modern' | 'legacy']>([
  ['everything visible', answer({ tools: [{ name: 'get' }] }), 'legacy'],
  ['already private', answer({ tools: [{ name: 'get' }], cacheScope: 'private' }), 'modern'],
  ['an error', { jsonrpc: '2.0', id: 1, error: { code: -32601, message: 'm' } }, 'modern'],
  ['input required', answer({ inputRequests: {}, requestState: 's' }), 'modern'],
  ['a request', { jsonrpc: '2.0', id: 1, method: 'roots/list' }, 'modern'],
  ['null', null, 'modern'],
  ['text', 'tools', 'modern'],
])('what needs no change comes back as the same object: %s', (_name, message, era) => {
  expect(filterListResult(message, mayRead, era)).toBe(message);
});
