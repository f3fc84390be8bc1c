import { expect, test } from 'vitest';
import { checkBatchEra, eraOf, findProtocolVersion, protocolVersionKey } from './era.ts';
import type { JsonObject, JsonRpcMessage } from './json-rpc.ts';
import { operationOf } from './operation.ts';

const request = (method: string, params?: JsonObject): JsonRpcMessage => ({
  jsonrpc: '2.0',
  id: 7,
  method,
  ...(params === undefined ? {} : { params }),
});
const meta = (version: unknown): JsonObject => ({ _meta: { [protocolVersionKey]: version } });

test.each<[string, JsonObject | undefined, string | undefined]>([
  ['tools/call', { name: 'get_snippet' }, 'get_snippet'],
  ['tools/call', { name: ' Get ' }, ' Get '],
  ['tools/call', { name: 1 }, undefined],
  ['tools/call', {}, undefined],
  ['tools/call', undefined, undefined],
  ['tools/call', { uri: 'x' }, undefined],
  ['tools/call', Object.create({ name: 'inherited' }), undefined],
  ['prompts/get', { name: 'p' }, 'p'],
  ['resources/read', { uri: 'file:///a', name: 'n' }, 'file:///a'],
  ['resources/subscribe', { uri: 'u' }, 'u'],
  ['resources/unsubscribe', { uri: 'u' }, 'u'],
  ['tasks/get', { taskId: 't' }, 't'],
  ['completion/complete', { ref: 'p' }, undefined],
  ['completion/complete', { ref: { name: 'p' } }, undefined],
  ['completion/complete', { ref: { type: 'ref/tool', name: 'p', uri: 'u' } }, undefined],
  ['tools/list', { name: 'x' }, undefined],
  ['constructor', { name: 'x' }, undefined],
])('A24: %s with %j targets %j', (method, params, name) => {
  expect(operationOf(request(method, params))).toEqual({
    method,
    ...(name === undefined ? {} : { name }),
    id: 7,
    kind: 'request',
  });
});

test.each<[JsonObject, string | undefined, string]>([
  [{ type: 'ref/prompt', name: 'p' }, 'p', 'prompt'],
  [{ type: 'ref/prompt', name: 'p', uri: 'u' }, 'p', 'prompt'],
  [{ type: 'ref/resource', uri: 'u' }, 'u', 'resource'],
  [{ type: 'ref/resource', name: 'p', uri: 'u' }, 'u', 'resource'],
  [{ type: 'ref/resource', name: 'p' }, undefined, 'resource'],
])('A24: a completion is about what the type of its reference says: %j', (ref, name, kind) => {
  expect(operationOf(request('completion/complete', { ref }))).toEqual({
    method: 'completion/complete',
    ...(name === undefined ? {} : { name }),
    ref: kind,
    id: 7,
    kind: 'request',
  });
});

test.each<[string, JsonObject | undefined, unknown[]]>([
  ['none', { notifications: { toolsListChanged: true } }, []],
  ['two', { notifications: { resourceSubscriptions: ['a', 'b'] } }, ['a', 'b']],
  ['a text', { notifications: { resourceSubscriptions: 'a' } }, ['a']],
  ['what is no text', { notifications: { resourceSubscriptions: [['a'], null] } }, [['a'], null]],
  ['null', { notifications: { resourceSubscriptions: null } }, [null]],
  ['another case', { notifications: { ResourceSubscriptions: ['a'] } }, [undefined]],
  ['no filter', {}, [undefined]],
  ['a filter in another case', { Notifications: { resourceSubscriptions: ['a'] } }, [undefined]],
  ['no parameters', undefined, [undefined]],
])('A24: resources that a subscription wants to hear of: %s', (_case, params, uris) => {
  expect(operationOf(request('subscriptions/listen', params))).toMatchObject({ uris });
});

test('notifications and responses have no id', () => {
  const notification: JsonRpcMessage = { jsonrpc: '2.0', method: 'tools/call', params: { name: 'x' } };
  expect(operationOf(notification)).toEqual({ method: 'tools/call', name: 'x', kind: 'notification' });
  expect(operationOf({ jsonrpc: '2.0', id: 1, result: {} })).toEqual({ method: '', kind: 'response' });
});

const notification = (params?: JsonObject): JsonRpcMessage => ({
  jsonrpc: '2.0',
  method: 'notifications/x',
  ...(params === undefined ? {} : { params }),
});
test.each<[string, JsonRpcMessage, string | undefined, string]>([
  ['an envelope', request('tools/list', meta('2026-07-28')), undefined, 'modern'],
  ['a later revision', request('tools/list', meta('2027-01-01')), undefined, 'modern'],
  ['a damaged envelope', request('tools/list', meta(7)), undefined, 'modern'],
  ['no envelope', request('tools/list', {}), '2026-07-28', 'legacy'],
  ['other meta', request('tools/list', { _meta: { progressToken: 1 } }), undefined, 'legacy'],
  ['meta that is a list', request('tools/list', { _meta: [] }), undefined, 'legacy'],
  ['initialize', request('initialize', { protocolVersion: '2026-07-28' }), undefined, 'legacy'],
  ['initialize, damaged', request('initialize', meta(7)), undefined, 'legacy'],
  ['initialize in an envelope', request('initialize', meta('2026-07-28')), undefined, 'modern'],
  ['a notification by header', notification(), ' 2026-07-28', 'modern'],
  ['a notification by old header', notification(), '2025-11-25', 'legacy'],
  ['a notification', notification(), undefined, 'legacy'],
  ['a notification by envelope', notification(meta('2026-07-28')), '2025-11-25', 'modern'],
  ['a response', { jsonrpc: '2.0', id: 1, result: {} }, '2026-07-28', 'legacy'],
])('the era of %s', (_name, message, header, era) => {
  expect(eraOf(message, header)).toBe(era);
});

test('the version is what the message says, as text only', () => {
  expect(findProtocolVersion(request('m', meta('2026-07-28')))).toBe('2026-07-28');
  expect(findProtocolVersion(request('m', meta(['2026-07-28'])))).toBeUndefined();
  expect(findProtocolVersion({ jsonrpc: '2.0', id: 1, result: meta('x') })).toBeUndefined();
});

test('a modern message cannot hide in a batch', () => {
  const old = request('tools/list');
  const modern = request('tools/list', meta('2026-07-28'));
  expect(checkBatchEra({ messages: [old, old], isBatch: true }).ok).toBe(true);
  expect(checkBatchEra({ messages: [modern], isBatch: false }).ok).toBe(true);
  expect(checkBatchEra({ messages: [old, modern], isBatch: true })).toMatchObject({
    error: { code: -32600 },
  });
});
