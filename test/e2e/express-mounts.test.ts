/** Every way to put it into a server, driven by the official clients of both SDK generations and both protocol eras. */
import type { RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream as NodeStream } from 'node:stream/web';
import { createMcpExpressApp } from '@modelcontextprotocol/express';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { createEmulator, type Emulator } from '@valetkey/entra-emulator';
import type { NodeMcpHandler, Valetkey } from '@valetkey/express';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { createHttpBrowser, signInOverHttp } from '../support/http-person.ts';
import { type LoopbackCallback, openLoopbackCallback } from '../support/loopback-callback.ts';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Connected, connectSdkClient, type SdkKind } from '../support/sdk-client.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const forWriters = { anyRole: ['Snippets.Writer'] };

function createMcp(vk: Valetkey) {
  return createMcpHandler(() => {
    const server = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }));
    server.registerTool(
      'who_am_i',
      { description: 'Tells who is calling.', outputSchema: z.object({ username: z.string() }) },
      (context) => {
        const { username = '' } = vk.principal(context);
        return { content: [], structuredContent: { username } };
      },
    );
    server.registerTool('save', { description: 'For writers.', requires: forWriters }, () => ({
      content: [],
    }));
    return server;
  });
}

/** A server of SDK 1.x, whose rules stand in a table. */
function createMcpV1(vk: Valetkey): McpServerV1 {
  const server = vk.guard(new McpServerV1({ name: 'test', version: '1.0.0' }), { save: forWriters });
  server.registerTool(
    'who_am_i',
    { description: 'Tells who is calling.', outputSchema: { username: z.string() } },
    (extra) => {
      const { username = '' } = vk.principal(extra);
      return { content: [], structuredContent: { username } };
    },
  );
  server.registerTool('save', { description: 'For writers.' }, () => ({ content: [] }));
  return server;
}

const statelessV1 =
  (vk: Valetkey): NodeMcpHandler =>
  async (req, res, body) => {
    const transport = new StreamableHTTPServerTransport({});
    res.once('close', () => void transport.close());
    await createMcpV1(vk).connect(transport);
    await transport.handleRequest(req, res, body);
  };

/** Sessions as many servers of the older protocol keep them: one server and one transport for each. */
function sessionfulV1(vk: Valetkey): NodeMcpHandler {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  return async (req, res, body) => {
    const known = sessions.get(String(req.headers['mcp-session-id']));
    if (known !== undefined) return known.handleRequest(req, res, body);
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    await createMcpV1(vk).connect(transport);
    return transport.handleRequest(req, res, body);
  };
}

/** A server whose framework speaks fetch. */
function overFetch(vk: Valetkey): RequestListener {
  const handle = vk.fetch(createMcp(vk));
  async function answerOne(...[req, res]: Parameters<RequestListener>): Promise<void> {
    const { method = 'GET', headers } = req;
    const request = new Request(new URL(req.url ?? '/', `http://${headers.host}`), {
      method,
      headers: Object.entries(headers).flatMap(([name, value]) =>
        [value ?? []].flat().map((each): [string, string] => [name, each]),
      ),
      ...(method === 'GET' ? {} : { body: Readable.toWeb(req) as ReadableStream, duplex: 'half' }),
    });
    const answer = await handle(request, { ip: '203.0.113.7' });
    for (const [name, value] of answer.headers) res.appendHeader(name, value);
    res.writeHead(answer.status);
    if (answer.body === null) res.end();
    else Readable.fromWeb(answer.body as NodeStream).pipe(res);
  }
  return (req, res) => void answerOne(req, res);
}

const mounts: Readonly<Record<string, (vk: Valetkey) => RequestListener>> = {
  'Express, all at once': (vk) => express().use(vk.serve(createMcp(vk))),
  'Express behind body parsers': (vk) =>
    express()
      .use(express.json(), express.urlencoded({ extended: true }))
      .use(vk.serve(createMcp(vk))),
  'Express, piece by piece': (vk) => {
    const handle = toNodeHandler(createMcp(vk));
    return express()
      .use(vk.router)
      .use('/mcp', vk.requireBearerAuth(), (req, res) => void handle(req, res, req.body));
  },
  "the app of the SDK's Express package": (vk) => {
    const handle = toNodeHandler(createMcp(vk));
    return createMcpExpressApp()
      .use(vk.router)
      .all('/mcp', vk.requireBearerAuth(), (req, res) => void handle(req, res, req.body));
  },
  'node:http': (vk) => vk.serve(createMcp(vk)),
  "node:http with the SDK's own adapter": (vk) => vk.serve(toNodeHandler(createMcp(vk))),
  'fetch style': overFetch,
  'SDK 1.x without sessions': (vk) => express().use(vk.serve(statelessV1(vk))),
  'SDK 1.x with sessions, behind a body parser': (vk) =>
    express()
      .use(express.json())
      .use(vk.serve(sessionfulV1(vk))),
};
const speaksModern = (mount: string) => !mount.startsWith('SDK 1.x');

let emulator: Emulator;
let callback: LoopbackCallback;
beforeAll(async () => {
  emulator = await createEmulator();
  callback = await openLoopbackCallback();
});
afterAll(async () => {
  await callback.close();
  await emulator.close();
});

async function withServer(
  build: (vk: Valetkey) => RequestListener,
  work: (server: ExpressServer) => Promise<void>,
): Promise<void> {
  const server = await startExpressServer({ emulator, build });
  try {
    await work(server);
  } finally {
    await server.close();
  }
}

function connect(server: ExpressServer, kind: SdkKind): Promise<Connected> {
  return connectSdkClient({
    kind,
    mcpUrl: server.mcpUrl,
    callback,
    memory: {},
    async signIn(url) {
      const origins = { gateway: server.url, emulator: emulator.httpOrigin };
      const { location = '' } = await signInOverHttp(createHttpBrowser(), url.href, {
        person: rita,
        ...origins,
      });
      await fetch(location);
    },
  });
}

const clients = Object.entries(mounts).flatMap(([mount, build]) =>
  (['v1', 'v2 legacy', 'v2 modern'] as const)
    .filter((kind) => kind !== 'v2 modern' || speaksModern(mount))
    .map((kind) => [mount, kind, build] as const),
);

test.each(clients)(
  'A11 A12 A24: %s, client SDK %s: sign-in, list, call, refusal',
  async (_mount, kind, build) => {
    await withServer(build, async (server) => {
      const { client, signIns } = await connect(server, kind);
      expect(await client.listTools()).toEqual(['who_am_i']);
      const { structuredContent } = await client.callTool('who_am_i');
      expect(structuredContent).toEqual({ username: rita.username });
      await expect(client.callTool('save')).rejects.toThrow(/Snippets\.Writer/);
      expect(signIns()).toBe(1);
      await client.close();
    });
  },
);

test.each(Object.entries(mounts))(
  'A22 D16: %s: what is no message is refused, and the next one is answered',
  async (_mount, build) => {
    await withServer(build, async (server) => {
      const { accessToken } = await obtainTokens(server, rita, { scope: 'mcp.use' });
      const headers = {
        authorization: `Bearer ${accessToken}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      };
      for (const body of ['{', '', 'null', '{"jsonrpc":"2.0"}']) {
        const { status } = await fetch(server.mcpUrl, { method: 'POST', headers, body });
        expect([status, body]).toEqual([400, body]);
      }
      const initialize = {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'test', version: '1' },
      };
      expect((await callMcp(server.mcpUrl, accessToken, 'initialize', initialize)).status).toBe(200);
    });
  },
);
