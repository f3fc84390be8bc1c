import { err, ok, type Result } from '@valetkey/core/base/result';
import type { JsonRpcMessage } from '@valetkey/core/mcp/json-rpc';
import { createPolicy } from '@valetkey/core/policy/decide';
import type { AuditEvent } from '@valetkey/gateway/audit/event';
import { expect, test } from 'vitest';
import { type Caller, createGatekeeper } from './gatekeeper.ts';

const identity = { objectId: 'rita' };
const rita: Caller = {
  principal: {
    tenantId: 't',
    objectId: 'rita',
    roles: ['Reader'],
    groups: [],
    scopes: [],
    clientId: 'c',
    sessionId: 'local',
  },
  meta: { 'valetkey/identity': identity },
};
const policy = createPolicy({ enter: {}, tools: { save: { anyRole: ['Writer'] } } });

type FindCaller = (signal: AbortSignal) => Promise<Result<Caller, string>>;

function createWorld(findCaller: FindCaller = async () => ok(rita)) {
  const toClient: unknown[] = [];
  const toServer: unknown[] = [];
  const events: AuditEvent[] = [];
  const gatekeeper = createGatekeeper({
    policy,
    findCaller,
    backend: 'notes',
    toClient: (message) => void toClient.push(message),
    toServer: (message) => void toServer.push(message),
    record: (event) => void events.push(event),
    newId: () => 'id',
    nowMs: () => 0,
  });
  return { gatekeeper, toClient, toServer, events };
}

const call = (name: string, id: number | string = 1, more: object = {}): JsonRpcMessage => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, ...more },
});

test('the handshake needs nobody', async () => {
  const { gatekeeper, toServer } = createWorld(() => Promise.reject(new Error('asked')));
  const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: {} } as const;
  const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' } as const;
  await gatekeeper.fromClient(initialize);
  await gatekeeper.fromClient(initialized);
  expect(toServer).toEqual([initialize, initialized]);
});

test('A24 A25: an allowed call reaches the server with the identity, a denied one never does', async () => {
  const { gatekeeper, toServer, toClient, events } = createWorld();
  await gatekeeper.fromClient(call('read'));
  await gatekeeper.fromClient(call('save', 2));
  expect(toServer).toEqual([call('read', 1, { _meta: { 'valetkey/identity': identity } })]);
  expect(toClient).toMatchObject([{ id: 2, error: { code: 403, data: { missingRoles: ['Writer'] } } }]);
  gatekeeper.fromServer({ jsonrpc: '2.0', id: 1, result: {} });
  expect(events).toMatchObject([
    { event: 'access.denied', outcome: 'denied', target: 'save', reason: 'missing_role', objectId: 'rita' },
    { event: 'mcp.call', outcome: 'success', target: 'read', method: 'tools/call', backend: 'notes' },
  ]);
});

test('A24: tools/list shows what the person may call', async () => {
  const { gatekeeper, toClient } = createWorld();
  await gatekeeper.fromClient({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  gatekeeper.fromServer({ jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'read' }, { name: 'save' }] } });
  expect(toClient).toEqual([{ jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'read' }] } }]);
});

test('an identity that a client writes is not passed on', async () => {
  const { gatekeeper, toServer } = createWorld(async () => ok({ ...rita, meta: {} }));
  const forged = { 'valetkey/identity': { objectId: 'admin' }, 'Valetkey/tokens': {}, progressToken: 7 };
  await gatekeeper.fromClient(call('read', 1, { _meta: forged }));
  await gatekeeper.fromClient({
    jsonrpc: '2.0',
    method: 'notifications/progress',
    params: { _meta: forged },
  });
  expect(toServer).toMatchObject([
    { params: { _meta: { progressToken: 7 } } },
    { params: { _meta: { progressToken: 7 } } },
  ]);
  expect(JSON.stringify(toServer)).not.toMatch(/admin|tokens/i);
});

test('a call that comes as a notification is judged too', async () => {
  const { gatekeeper, toServer, toClient, events } = createWorld();
  const asNotification = (name: string) =>
    ({ jsonrpc: '2.0', method: 'tools/call', params: { name } }) as const;
  await gatekeeper.fromClient(asNotification('save'));
  await gatekeeper.fromClient(asNotification('read'));
  expect(toServer).toMatchObject([{ params: { name: 'read' } }]);
  expect(toClient).toEqual([]);
  expect(events.map(({ outcome }) => outcome)).toEqual(['denied', 'success']);
});

test('A10: nobody signed in: a tool call is a tool error, everything else an error', async () => {
  const { gatekeeper, toClient, toServer } = createWorld(async () => err('Nobody signed in in time'));
  await gatekeeper.fromClient(call('read'));
  await gatekeeper.fromClient({ jsonrpc: '2.0', id: 2, method: 'tools/list' });
  expect(toClient).toMatchObject([
    { id: 1, result: { isError: true, content: [{ text: 'Nobody signed in in time' }] } },
    { id: 2, error: { code: 401, message: 'Nobody signed in in time' } },
  ]);
  expect(toServer).toEqual([]);
});

test('A10: a request that waits for its person can be cancelled, and then has no answer', async () => {
  const { gatekeeper, toClient, toServer } = createWorld(
    (signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(err('cancelled')));
      }),
  );
  const waiting = gatekeeper.fromClient(call('read'));
  const cancel = (requestId: number) =>
    gatekeeper.fromClient({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } });
  await cancel(1);
  await waiting;
  expect([toClient, toServer]).toEqual([[], []]);
  await cancel(99);
  expect(toServer).toHaveLength(1);
});

test('an answer that nobody asked for, or to what was refused, does not reach the client', async () => {
  const { gatekeeper, toClient } = createWorld();
  await gatekeeper.fromClient(call('save'));
  const answer = { jsonrpc: '2.0', id: 1, result: { content: [] } } as const;
  gatekeeper.fromServer(answer);
  gatekeeper.fromServer({ ...answer, id: 77 });
  expect(toClient).toMatchObject([{ id: 1, error: { code: 403 } }]);
});

test('a server cannot answer what it was not asked yet', async () => {
  const signedIn = Promise.withResolvers<Result<Caller, string>>();
  const { gatekeeper, toClient, toServer } = createWorld(() => signedIn.promise);
  const waiting = gatekeeper.fromClient(call('read'));
  gatekeeper.fromServer({ jsonrpc: '2.0', id: 1, result: { content: [] } });
  expect(toClient).toEqual([]);
  signedIn.resolve(ok(rita));
  await waiting;
  expect(toServer).toHaveLength(1);
});

test('an id that is still open is not taken twice', async () => {
  const { gatekeeper, toClient, toServer } = createWorld();
  await gatekeeper.fromClient(call('read'));
  await gatekeeper.fromClient(call('save'));
  expect(toServer).toHaveLength(1);
  expect(toClient).toMatchObject([{ id: 1, error: { code: -32600 } }]);
});

test('what the server asks and tells passes, and so do the answers', async () => {
  const { gatekeeper, toClient, toServer } = createWorld();
  const asked = { jsonrpc: '2.0', id: 's1', method: 'roots/list' } as const;
  gatekeeper.fromServer(asked);
  const answer = { jsonrpc: '2.0', id: 's1', result: { roots: [] } } as const;
  await gatekeeper.fromClient(answer);
  expect([toClient, toServer]).toEqual([[asked], [answer]]);
});

test('when the server ends, what waits is answered', async () => {
  const { gatekeeper, toClient, events } = createWorld();
  await gatekeeper.fromClient(call('read'));
  gatekeeper.close();
  expect(toClient).toMatchObject([{ id: 1, error: { code: 502 } }]);
  expect(events).toMatchObject([{ outcome: 'error', reason: 'server_ended' }]);
});
