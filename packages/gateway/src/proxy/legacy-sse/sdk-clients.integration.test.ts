/** Judges: clients and servers of both versions of the MCP SDK, in every pair of old and new that is promised. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseTransportV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import {
  CreateMessageRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openSealedStore } from '../../session/sealed-store.suite.ts';
import type { BackendProxy } from '../backend-proxy.ts';
import { createFixedCredential } from '../credentials/backend-credential.ts';
import { createBackendProxy } from '../forward.ts';
import { backendAt, createSigningJwk, publicUrl, silentLog, startServer } from '../front-and-back.suite.ts';
import { createIdentitySigner } from '../identity.ts';
import { noKeepAlive } from '../keep-alive.ts';
import { describeFault, startMessageFront } from '../messages/message-front.suite.ts';
import { createStdioBackend } from '../stdio/stdio-backend.ts';
import { stdioBackendAt } from '../stdio/stdio-backend.suite.ts';
import { startLegacyFront } from './legacy-front.suite.ts';
import { createSseBackend } from './sse-backend.ts';

const everything = join(
  createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/package.json'),
  '../dist/index.js',
);
const clock = { nowMs: () => Date.now() };
const parts = {
  identity: createIdentitySigner({ issuer: publicUrl, signingJwk: createSigningJwk(), clock }),
  store: openSealedStore(clock),
  random: (size: number) => randomBytes(size),
  timer: () => () => {},
  isRevoked: () => false,
  keepAlive: noKeepAlive,
  clock,
  log: silentLog,
  describeFault,
};

/** The official sample server in one of its modes, on a port that it is given. */
async function startEverything(
  mode: 'sse' | 'streamableHttp',
): Promise<{ child: ChildProcess; port: number }> {
  const free = await startServer(() => {});
  const port = Number(new URL(free.url).port);
  await free.close();
  const child = spawn(process.execPath, [everything, mode], {
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    const heard = (chunk: Buffer) => void (/running|listening/i.test(String(chunk)) && resolve());
    child.stdout.on('data', heard);
    child.stderr.on('data', heard);
    child.once('exit', () => reject(new Error('the sample server ended')));
  });
  return { child, port };
}

const servers: { child: ChildProcess; port: number }[] = [];
beforeAll(async () => {
  servers.push(await startEverything('sse'), await startEverything('streamableHttp'));
});
afterAll(() => {
  for (const { child } of servers) child.kill();
});

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const portOf = (index: number) => servers[index]?.port ?? 0;
const credential = createFixedCredential({});
const ways: Record<string, () => BackendProxy> = {
  'HTTP+SSE': () =>
    createSseBackend({
      ...parts,
      credential,
      backend: backendAt(`http://127.0.0.1:${portOf(0)}/sse`, { transport: 'sse' }),
    }),
  'Streamable HTTP': () =>
    createBackendProxy({ ...parts, credential, backend: backendAt(`http://127.0.0.1:${portOf(1)}/mcp`) }),
  stdio: () =>
    createStdioBackend({
      ...parts,
      graceMs: 300,
      backend: stdioBackendAt({ command: process.execPath, args: [everything, 'stdio'] }),
    }),
};

/** Both fronts before one way to a backend. */
async function open(kind: string) {
  const proxy = ways[kind]?.();
  if (proxy === undefined) throw new Error(kind);
  const older = await startLegacyFront(proxy);
  const newer = await startMessageFront(proxy);
  closers.push(() => proxy.close(), older.close, newer.close);
  return { sse: new URL(older.sseUrl), streamable: new URL(`${newer.url}/snippets/mcp`) };
}
type Addresses = Awaited<ReturnType<typeof open>>;

interface Talk {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(call: { name: string; arguments?: Record<string, unknown> }): Promise<Record<string, unknown>>;
}

async function connectV1(client: ClientV1, transport: SseTransportV1 | TransportV1): Promise<ClientV1> {
  await client.connect(transport);
  closers.push(() => client.close());
  return client;
}

async function connectV2(transport: SSEClientTransport | StreamableHTTPClientTransport): Promise<Talk> {
  const client = new Client({ name: 'v2', version: '1' });
  await client.connect(transport);
  closers.push(() => client.close());
  return client;
}

const newV1 = () => new ClientV1({ name: 'v1', version: '1' }, { capabilities: { sampling: {}, roots: {} } });

const clients: Record<string, (addresses: Addresses) => Promise<Talk>> = {
  'SDK v1, HTTP+SSE': ({ sse }) => connectV1(newV1(), new SseTransportV1(sse)),
  'SDK v2, HTTP+SSE': ({ sse }) => connectV2(new SSEClientTransport(sse)),
  'SDK v1, Streamable HTTP': ({ streamable }) => connectV1(newV1(), new TransportV1(streamable)),
  'SDK v2, Streamable HTTP': ({ streamable }) => connectV2(new StreamableHTTPClientTransport(streamable)),
};

const pairs = Object.keys(clients).flatMap((client) =>
  Object.keys(ways).map((way) => [client, way] as const),
);

test.each(pairs)('%s before a backend of %s: tools are listed and called', async (client, way) => {
  const talk = await clients[client]?.(await open(way));
  const names = (await talk?.listTools())?.tools.map(({ name }) => name);
  expect(names).toContain('echo');
  const said = await talk?.callTool({ name: 'echo', arguments: { message: 'hello there' } });
  expect(JSON.stringify(said)).toContain('hello there');
  const calls = Array.from({ length: 20 }, (_each, index) =>
    talk?.callTool({ name: 'get-sum', arguments: { a: index, b: 1 } }),
  );
  const sums = await Promise.all(calls);
  for (const [index, sum] of sums.entries()) expect(JSON.stringify(sum)).toContain(`is ${index + 1}.`);
});

test.each(Object.keys(ways))(
  'A54: HTTP+SSE before %s: progress, questions of the server, log messages',
  async (way) => {
    const { sse } = await open(way);
    const client = newV1();
    const heard: string[] = [];
    client.setRequestHandler(CreateMessageRequestSchema, () => {
      heard.push('sampling');
      return { model: 'none', role: 'assistant', content: { type: 'text', text: 'sampled by the client' } };
    });
    client.setRequestHandler(ListRootsRequestSchema, () => {
      heard.push('roots');
      return { roots: [] };
    });
    client.setNotificationHandler(LoggingMessageNotificationSchema, () => void heard.push('log'));
    await connectV1(client, new SseTransportV1(sse));
    await expect.poll(() => heard, { timeout: 10_000 }).toContain('roots');
    const { tools } = await client.listTools();
    const named = (part: RegExp) => tools.find(({ name }) => part.test(name))?.name ?? '';
    const sampled = await client.callTool({
      name: named(/sampling/),
      arguments: { prompt: 'p', maxTokens: 5 },
    });
    expect(JSON.stringify(sampled)).toContain('sampled by the client');
    const progress: number[] = [];
    await client.callTool(
      { name: named(/long.?running/), arguments: { duration: 0.5, steps: 5 } },
      undefined,
      { onprogress: (each) => progress.push(each.progress) },
    );
    // The SDK's own client forgets who wanted progress when the answer comes with the last of it.
    expect(progress.slice(0, 4)).toEqual([1, 2, 3, 4]);
    await client.callTool({ name: named(/toggle.*log/), arguments: {} });
    await expect.poll(() => heard, { timeout: 10_000 }).toContain('log');
  },
);

test('a client that tries Streamable HTTP at the older address first is shown the way back', async () => {
  const { sse } = await open('Streamable HTTP');
  const first = new Client({ name: 'v2', version: '1' });
  await expect(first.connect(new StreamableHTTPClientTransport(sse))).rejects.toThrow();
  const talk = await connectV2(new SSEClientTransport(sse));
  expect((await talk.listTools()).tools.length).toBeGreaterThan(0);
});

test('a server made with the SDK’s own older transport tells two people apart', async () => {
  const transports = new Map<string, SSEServerTransport>();
  const back = await startServer((req, res) => {
    const url = new URL(req.url ?? '/', 'http://localhost');
    const serve = async () => {
      if (req.method === 'POST')
        return transports.get(url.searchParams.get('sessionId') ?? '')?.handlePostMessage(req, res);
      const transport = new SSEServerTransport('/messages', res);
      transports.set(transport.sessionId, transport);
      const server = new McpServer({ name: 'older', version: '1' });
      server.registerTool('who', {}, ({ requestInfo }) => ({
        content: [{ type: 'text', text: String(requestInfo?.headers['x-valetkey-object-id']) }],
      }));
      return server.connect(transport);
    };
    void serve();
  });
  const proxy = createSseBackend({
    ...parts,
    credential,
    backend: backendAt(`${back.url}/sse`, { transport: 'sse' }),
  });
  const front = await startMessageFront(proxy);
  closers.push(back.close, () => proxy.close(), front.close);
  const connect = async (person: string) => {
    const requestInit = { headers: { 'x-test-person': person } };
    return connectV2(
      new StreamableHTTPClientTransport(new URL(`${front.url}/snippets/mcp`), { requestInit }),
    );
  };
  const [anna, ben] = [await connect('anna'), await connect('ben')];
  const said = await Promise.all([anna, ben, anna].map((each) => each.callTool({ name: 'who' })));
  expect(said.map((each) => (each['content'] as { text: string }[])[0]?.text)).toEqual([
    'anna',
    'ben',
    'anna',
  ]);
});
