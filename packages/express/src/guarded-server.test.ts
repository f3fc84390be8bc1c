import { loadOwnServer } from '@valetkey/gateway/config/own-server';
import { expect, test } from 'vitest';
import { guardServer, type TransportGuard } from './guarded-server.ts';
import { OptionsFault } from './options-fault.ts';

const guard = { nowMs: () => 0, admissionOf: () => undefined as never } as unknown as TransportGuard;

function resourceWith(more: object = {}) {
  const entra = {
    tenant: '5c8a1d2e-0f3b-4c6d-9e7f-102938475610',
    clientId: '31b2c4d6-1a2b-4c3d-8e5f-a1b2c3d4e5f6',
    credential: { secret: 'a-secret' },
  };
  const loaded = loadOwnServer({ publicUrl: 'https://mcp.contoso.com', entra, ...more }, { env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value.resource;
}

/** What is used of an SDK server; keeps what the real one would be told. */
function fakeServer() {
  const told: unknown[] = [];
  return {
    told,
    connect: async () => {},
    registerTool: (...given: unknown[]) => told.push(given) as unknown,
  };
}
type Register = (name: string, config: object, handler: unknown) => unknown;

test('`requires` is taken by us, the rest goes to the server as it is', () => {
  const server = fakeServer();
  guardServer(server, resourceWith(), guard);
  const handler = () => {};
  (server.registerTool as Register)('save', { title: 'Save', requires: { anyRole: ['Writer'] } }, handler);
  expect(server.told).toEqual([['save', { title: 'Save' }, handler]]);
});

test.each([
  ['a misspelled part', { anyRoles: ['Writer'] }, 'tools.save.anyRoles'],
  ['a list that is none', { anyRole: 'Writer' }, 'tools.save.anyRole'],
  ['a scope that this server does not have', { scopes: ['mail.read'] }, 'tools.save.scopes'],
])(
  'D20: %s in `requires` is a fault at the start, not a tool that is open to all',
  (_what, requires, path) => {
    const server = fakeServer();
    guardServer(server, resourceWith(), guard);
    const register = () => (server.registerTool as Register)('save', { requires }, () => {});
    expect(register).toThrow(OptionsFault);
    expect(register).toThrow(path);
    expect(server.told).toEqual([]);
  },
);

test('rules in two places are a fault, in whatever order they come', () => {
  const inOptions = resourceWith({ tools: { save: { anyRole: ['Writer'] } } });
  const server = fakeServer();
  guardServer(server, inOptions, guard);
  const requires = { anyRole: ['Admin'] };
  expect(() => (server.registerTool as Register)('save', { requires }, () => {})).toThrow(
    'rules in two places',
  );

  const withTable = fakeServer();
  guardServer(withTable, resourceWith(), guard, { save: requires });
  expect(() => (withTable.registerTool as Register)('save', { requires }, () => {})).toThrow('two places');
});

test('a table for a server without `registerTool` is checked as strictly', () => {
  const server = { connect: async () => {} };
  expect(() => guardServer(server, resourceWith(), guard, { save: { anyRole: [] } })).toThrow(OptionsFault);
});
