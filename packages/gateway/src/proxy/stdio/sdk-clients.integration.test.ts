/** Judges: the MCP SDK's own clients, before servers made with both versions of the SDK. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterEach, expect, test } from 'vitest';
import { startStdioWorld, type StdioWorldOptions } from './stdio-backend.suite.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const bothEras = [fileURLToPath(new URL('sdk-fixture.suite.ts', import.meta.url))];
const everything = [
  join(
    createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/package.json'),
    '../dist/index.js',
  ),
  'stdio',
];

async function open(args: readonly string[], process: StdioWorldOptions['process'] = {}) {
  const world = await startStdioWorld({ process: { args, ...process } });
  closers.push(world.close);
  return world;
}

interface Session {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(call: { name: string; arguments?: Record<string, unknown> }): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

async function connectV2(url: string, mode: 'legacy' | 'auto' | { pin: string }, person = 'anna') {
  const client = new Client({ name: 'v2', version: '1' }, { versionNegotiation: { mode } });
  const requestInit = { headers: { 'x-test-person': person } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  closers.push(() => client.close());
  return client;
}

async function connectV1(url: string, person = 'anna') {
  const client = new ClientV1({ name: 'v1', version: '1' });
  await client.connect(
    new TransportV1(new URL(url), { requestInit: { headers: { 'x-test-person': person } } }),
  );
  closers.push(() => client.close());
  return client;
}

const clients: [string, (url: string, person?: string) => Promise<Session>][] = [
  ['SDK v1', connectV1],
  ['SDK v2, legacy', (url, person) => connectV2(url, 'legacy', person)],
  ['SDK v2, auto', (url, person) => connectV2(url, 'auto', person)],
  ['SDK v2, modern', (url, person) => connectV2(url, { pin: '2026-07-28' }, person)],
];

const textOf = (result: Record<string, unknown>) => (result['content'] as { text: string }[])[0]?.text ?? '';

test.each(
  clients.flatMap(([name, connect]) => [
    [name, 'perSession', connect] as const,
    [name, 'shared', connect] as const,
  ]),
)('A51 A53: %s before a server of both eras, %s', async (_name, mode, connect) => {
  const world = await open(bothEras, { mode });
  const [anna, ben] = [await connect(world.url), await connect(world.url, 'ben')];
  const { tools } = await anna.listTools();
  expect(tools.map(({ name }) => name)).toEqual(['who', 'steps', 'grow']);
  const said = await Promise.all(
    [anna, ben, anna].map(async (client) => textOf(await client.callTool({ name: 'who' }))),
  );
  expect(said.map((each) => each.split(' ')[0])).toEqual(['anna', 'ben', 'anna']);
  const pids = new Set(said.map((each) => each.split(' ')[1]));
  expect(pids.size).toBe(mode === 'shared' ? 1 : 2);
});

test.each([
  ['legacy', 'perSession'],
  ['legacy', 'shared'],
  ['modern', 'perSession'],
  ['modern', 'shared'],
] as const)('A54: progress reaches its caller, %s, %s', async (era, mode) => {
  const world = await open(bothEras, { mode });
  const client = await connectV2(world.url, era === 'modern' ? { pin: '2026-07-28' } : 'legacy');
  const steps: number[] = [];
  const call = { name: 'steps', arguments: { steps: 5 } };
  const result = await client.callTool(call, { onprogress: ({ progress }) => steps.push(progress) });
  expect(textOf(result)).toBe('done');
  expect(steps).toEqual([1, 2, 3, 4, 5]);
});

test.each([
  ['legacy', 'perSession'],
  ['legacy', 'shared'],
  ['modern', 'perSession'],
  ['modern', 'shared'],
] as const)('a change of the tools is heard, %s, %s', async (era, mode) => {
  const world = await open(bothEras, { mode });
  const heard = Promise.withResolvers<void>();
  const client = new Client(
    { name: 'v2', version: '1' },
    {
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
      listChanged: { tools: { onChanged: () => heard.resolve() } },
    },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(world.url)));
  closers.push(() => client.close());
  await client.callTool({ name: 'grow' });
  await heard.promise;
});

test.each(['perSession', 'shared'] as const)(
  'a client that tries the new era first finds an older server, %s',
  async (mode) => {
    const world = await open(everything, { mode });
    const client = await connectV2(world.url, 'auto');
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('echo');
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).toContain('hi');
    await expect(connectV2(world.url, { pin: '2026-07-28' })).rejects.toThrow();
  },
);

test('also where the older server ends at the first question it does not know', async () => {
  const dies = `process.stdin.on("data", (line) => {
    if (!String(line).includes('"initialize"')) process.exit(1);
    process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id: JSON.parse(line).id, result: {} }) + "\\n");
  });`;
  const world = await open(['--eval', dies]);
  const probe = { jsonrpc: '2.0', id: 'p', method: 'server/discover', params: { _meta: modernMeta } };
  for (let time = 0; time < 3; time += 1) {
    const answer = await world.post(probe, { 'mcp-protocol-version': '2026-07-28' });
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { id: 'p', error: { code: -32022, data: { requested: '2026-07-28' } } },
    ]);
  }
  const started = () => world.logged.filter(({ msg }) => msg === 'backend started');
  expect(started(), 'once for the client’s question, and once for the same in our words').toHaveLength(2);
  const begun = await world.post({ jsonrpc: '2.0', id: 1, method: 'initialize', params: {} });
  expect(await begun.json(), 'nobody waits for it who begins as it knows').toMatchObject({ result: {} });
});

const modernMeta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 't', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

test('the server asks, logs and reports: sampling, elicitation, roots, log messages', async () => {
  const world = await open(everything);
  const client = new ClientV1(
    { name: 'v1', version: '1' },
    { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } },
  );
  const asked: string[] = [];
  client.setRequestHandler(CreateMessageRequestSchema, () => {
    asked.push('sampling');
    return { model: 'none', role: 'assistant', content: { type: 'text', text: 'sampled by the client' } };
  });
  client.setRequestHandler(ElicitRequestSchema, () => {
    asked.push('elicitation');
    return { action: 'decline' };
  });
  client.setRequestHandler(ListRootsRequestSchema, () => {
    asked.push('roots');
    return { roots: [{ uri: 'file:///here', name: 'here' }] };
  });
  const logged = Promise.withResolvers<void>();
  client.setNotificationHandler(LoggingMessageNotificationSchema, () => logged.resolve());
  await client.connect(new TransportV1(new URL(world.url)));
  closers.push(() => client.close());
  await expect.poll(() => asked).toContain('roots');
  const { tools } = await client.listTools();
  const names = tools.map(({ name }) => name);
  const sampling = names.find((name) => /sampl/i.test(name)) ?? '';
  const elicitation = names.find((name) => /elicit/i.test(name)) ?? '';
  const sampled = await client.callTool({ name: sampling, arguments: { prompt: 'p', maxTokens: 10 } });
  expect(JSON.stringify(sampled)).toContain('sampled by the client');
  await client.callTool({ name: elicitation, arguments: {} });
  expect(asked).toEqual(expect.arrayContaining(['sampling', 'elicitation']));
  await client.setLoggingLevel('debug');
  await client.callTool({ name: names.find((name) => /toggle.*log/i.test(name)) ?? '', arguments: {} });
  await logged.promise;
});
