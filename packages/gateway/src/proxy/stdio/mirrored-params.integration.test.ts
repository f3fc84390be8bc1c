/** Before a command nobody but the gateway can compare `Mcp-Param-*` with the body: an SDK's server never sees them. */
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, expect, test } from 'vitest';
import { ask, type StdioWorld, type StdioWorldOptions, startStdioWorld } from './stdio-backend.suite.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function open(process: StdioWorldOptions['process'] = {}) {
  const fixture = fileURLToPath(new URL('mirrored-fixture.suite.ts', import.meta.url));
  const world = await startStdioWorld({ process: { args: [fixture], ...process } });
  closers.push(world.close);
  return world;
}

const modern = { 'mcp-protocol-version': '2026-07-28' };
const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 't', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

const list = (world: StdioWorld, person = 'anna') =>
  ask(world, { ...modern, 'x-test-person': person }, 'tools/list', { _meta });
const call = (world: StdioWorld, headers: Record<string, string>, name = 'route') =>
  ask(world, { ...modern, ...headers }, 'tools/call', { name, arguments: { region: 'eu' }, _meta });

test('T17: what a list has told of a tool is compared from then on, as the SDK compares it over HTTP', async () => {
  const world = await open();
  expect((await call(world, {})).status, 'nobody has told of the tool').toBe(200);
  expect((await list(world)).status).toBe(200);
  const refused = await call(world, {});
  expect(refused).toMatchObject({
    status: 400,
    messages: [{ id: 1, error: { code: -32_020, data: { header: 'Mcp-Param-Region' } } }],
  });
  for (const value of ['us', 'EU', '=?base64?ZXU?=', 'eu, eu'])
    expect(await call(world, { 'mcp-param-region': value })).toMatchObject({
      status: 400,
      messages: [{ error: { code: -32_020 } }],
    });
  for (const value of ['eu', '=?base64?ZXU=?='])
    expect(await call(world, { 'mcp-param-region': value })).toMatchObject({
      status: 200,
      result: { content: [{ text: 'eu' }] },
    });
  expect((await call(world, { 'mcp-param-other': 'x' }, 'forget')).status).toBe(200);
  await list(world);
  expect((await call(world, {})).status, 'the latest list counts').toBe(200);
});

test('T17: what one person’s process says holds for that process; a shared one speaks for all', async () => {
  const [own, shared] = [await open(), await open({ mode: 'shared' })];
  for (const world of [own, shared]) await list(world, 'anna');
  expect((await call(own, { 'x-test-person': 'ben' })).status).toBe(200);
  expect((await call(own, { 'x-test-person': 'anna' })).status).toBe(400);
  expect((await call(shared, { 'x-test-person': 'ben' })).status).toBe(400);
});

test('T17: the era with sessions has no such headers, and nothing is compared', async () => {
  const world = await open();
  await list(world);
  const session = await world.begin();
  expect((await ask(world, session, 'tools/list', {}, 2)).status).toBe(200);
  const called = await ask(world, session, 'tools/call', { name: 'route', arguments: { region: 'eu' } }, 3);
  expect(called).toMatchObject({ status: 200, result: { content: [{ text: 'eu' }] } });
});

test('A51: the SDK’s client sends what is compared', async () => {
  const world = await open();
  const client = new Client(
    { name: 'v2', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(world.url)));
  closers.push(() => client.close());
  await client.listTools();
  const { content } = await client.callTool({ name: 'route', arguments: { region: 'é and more' } });
  expect(content).toEqual([{ type: 'text', text: 'é and more' }]);
});
