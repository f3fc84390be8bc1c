import { expect, test } from 'vitest';
import { filterListResult, findListName, type ListName, readToolList } from './list-result.ts';

const tools: ReadonlySet<ListName> = new Set(['tools']);
const mayRead = (_list: ListName, name: string) => name === 'get' || name === 'constructor';
const answer = (result: unknown) => ({ jsonrpc: '2.0', id: 1, result });

test('A24: tools that the caller may not call are dropped, the rest is untouched', () => {
  const message = answer({
    tools: [{ name: 'get', a: 1 }, { name: 'save' }],
    nextCursor: 'c',
    _meta: { b: 2 },
  });
  const before = structuredClone(message);
  expect(filterListResult(message, tools, mayRead, 'legacy')).toEqual(
    answer({ tools: [{ name: 'get', a: 1 }], nextCursor: 'c', _meta: { b: 2 } }),
  );
  expect(message).toEqual(before);
});

test.each([
  ['a tool without name', [{}, { name: 1 }, null, 'get', { name: 'get' }]],
  ['a name that is inherited', [Object.create({ name: 'get' }), { name: 'get' }]],
])('A24: dropped unasked: %s', (_name, listed) => {
  expect(filterListResult(answer({ tools: listed }), tools, mayRead, 'legacy')).toEqual(
    answer({ tools: [{ name: 'get' }] }),
  );
});

test('A24: a list that is no list shows nothing', () => {
  expect(filterListResult(answer({ tools: { 0: { name: 'save' } } }), tools, mayRead, 'legacy')).toEqual(
    answer({ tools: [] }),
  );
});

test.each([
  ['modern, public', { cacheScope: 'public', ttlMs: 5 }, 'modern', { cacheScope: 'private', ttlMs: 5 }],
  ['modern, absent', {}, 'modern', { cacheScope: 'private' }],
  ['legacy, public', { cacheScope: 'public' }, 'legacy', { cacheScope: 'private' }],
  ['legacy, odd', { cacheScope: null }, 'legacy', { cacheScope: 'private' }],
] as const)('A24: a list is private to its caller: %s', (_name, extra, era, expected) => {
  const listed = { tools: [{ name: 'get' }] };
  expect(filterListResult(answer({ ...listed, ...extra }), tools, mayRead, era)).toEqual(
    answer({ ...listed, ...expected }),
  );
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
  expect(filterListResult(message, tools, mayRead, era)).toBe(message);
});

test('A24: each kind of list is filtered by what names its items, and only where the rules can shorten it', () => {
  const message = answer({
    tools: [{ name: 'a' }],
    prompts: [{ name: 'p' }, { name: 'q' }],
    resources: [{ uri: 'file:///p', name: 'q' }, { uri: 'q' }],
    resourceTemplates: [{ uriTemplate: 'p/{x}', name: 'p' }, { uriTemplate: 'q/{x}' }],
  });
  const asked: string[] = [];
  const filtered = filterListResult(
    message,
    new Set<ListName>(['prompts', 'resources', 'resourceTemplates']),
    (list, name) => {
      asked.push(`${list} ${name}`);
      return name.includes('p');
    },
    'legacy',
  );
  expect(filtered).toEqual(
    answer({
      tools: [{ name: 'a' }],
      prompts: [{ name: 'p' }],
      resources: [{ uri: 'file:///p', name: 'q' }],
      resourceTemplates: [{ uriTemplate: 'p/{x}', name: 'p' }],
    }),
  );
  expect(asked).not.toContain('tools a');
  expect(filterListResult(message, new Set(), () => false, 'modern')).toBe(message);
});

test('A24: a tool only reads if its annotation is `true`, and nothing that looks like it', () => {
  const say = (readOnlyHint: unknown) => ({ name: String(readOnlyHint), annotations: { readOnlyHint } });
  const inherited = { name: 'inherited', annotations: Object.create({ readOnlyHint: true }) as object };
  const listed = [say(true), say('true'), say(1), say(false), { name: 'silent' }, inherited, { name: 7 }];
  const said = readToolList(answer({ tools: listed }));
  expect(said?.filter(({ isReadOnly }) => isReadOnly)).toEqual([{ name: 'true', isReadOnly: true }]);
  expect(said?.map(({ name }) => name)).not.toContain('7');
  const kept = filterListResult(answer({ tools: listed }), tools, (_list, _name, reads) => reads, 'legacy');
  expect(kept).toEqual(answer({ tools: [say(true)] }));
  expect(readToolList(answer({ tools: {} }))).toBeUndefined();
});

test.each([
  ['tools/list', 'tools'],
  ['prompts/list', 'prompts'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'resourceTemplates'],
  ['tasks/list', undefined],
  ['constructor', undefined],
])('%s asks for the list %s', (method, list) => {
  expect(findListName(method)).toBe(list);
});
