/**
 * An MCP server with everything that the conformance tool asks for, in both eras: sessions with resumable streams in
 * the legacy one, a server per request in the modern one. It knows no OAuth, and listens on loopback only.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  localhostHostValidation,
  localhostOriginValidation,
  type NodeIncomingMessageLike,
  NodeStreamableHTTPServerTransport,
  toNodeHandler,
  toWebRequest,
} from '@modelcontextprotocol/node';
import {
  createMcpHandler,
  isLegacyRequest,
  McpServer,
  type ServerNotifier,
} from '@modelcontextprotocol/server';
import { addLegacyAskingTools, addModernAskingTools, requestState } from './asking-tools.ts';
import { addContentTools } from './content-tools.ts';
import { createEventStore } from './event-store.ts';
import { addAskingPrompt, addPrompts, addResources } from './resources-and-prompts.ts';
import { addTaskMethods, addTaskTools, findTaskRefusal, tasksExtension } from './task-tools.ts';
import { createTasks, type Tasks } from './tasks.ts';

export interface FullBackend {
  readonly url: string;
  close(): Promise<void>;
}

export async function startFullBackend(): Promise<FullBackend> {
  const tasks = createTasks();
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>();
  const modern = createMcpHandler(() => createModernServer(tasks, modern.notify), { legacy: 'reject' });
  const serveModern = toNodeHandler(modern);
  const isOwnHost = localhostHostValidation();
  const isOwnOrigin = localhostOriginValidation();

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (!isOwnHost(req, res) || !isOwnOrigin(req, res)) return;
    // The SDK's own type of a Node request does not allow for exactOptionalPropertyTypes.
    const request = req as NodeIncomingMessageLike;
    const body = req.method === 'POST' ? parseOrUndefined(await readText(req)) : undefined;
    if (await isLegacyRequest(await toWebRequest(request, body), body)) return serveLegacy(req, res, body);
    const refusal = findTaskRefusal(body);
    if (refusal === undefined) await serveModern(request, res, body);
    else sendJson(res, 400, refusal);
  }

  async function serveLegacy(req: IncomingMessage, res: ServerResponse, body: unknown): Promise<void> {
    const id = req.headers['mcp-session-id'];
    if (id !== undefined) {
      const session = sessions.get(String(id));
      return session === undefined
        ? refuse(res, 404, 'Session not found')
        : session.handleRequest(req, res, body);
    }
    const session = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: createEventStore(),
      retryInterval: 100,
      onsessioninitialized: (issued) => void sessions.set(issued, session),
      onsessionclosed: (closed) => void sessions.delete(closed),
    });
    await createLegacyServer().connect(session);
    await session.handleRequest(req, res, body);
  }

  const server = createServer((req, res) => {
    serve(req, res).catch(() => refuse(res, 500, 'The backend failed'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/mcp`,
    async close() {
      tasks.close();
      await modern.close();
      for (const session of sessions.values()) await session.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

const about = { name: 'valetkey-conformance-backend', version: '1.0.0' };
const capabilities = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  logging: {},
  completions: {},
};

export function createLegacyServer(): McpServer {
  const server = new McpServer(about, { capabilities });
  addContentTools(server);
  addLegacyAskingTools(server);
  addResources(server);
  addPrompts(server);
  server.server.setRequestHandler('resources/subscribe', () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', () => ({}));
  return server;
}

export function createModernServer(tasks: Tasks, notify: ServerNotifier): McpServer {
  const server = new McpServer(about, {
    capabilities: { ...capabilities, extensions: { [tasksExtension]: {} } },
    cacheHints: { 'prompts/list': { ttlMs: 60_000, cacheScope: 'public' } },
    requestState: { verify: requestState.verify },
  });
  addContentTools(server);
  addModernAskingTools(server);
  addTaskTools(server, tasks);
  addTaskMethods(server, tasks);
  addResources(server);
  addPrompts(server);
  addAskingPrompt(server);
  const changed = { content: [{ type: 'text' as const, text: 'Changed' }] };
  server.registerTool('test_trigger_tool_change', { description: 'Tells that tools changed' }, () => {
    notify.toolsChanged();
    return changed;
  });
  server.registerTool('test_trigger_prompt_change', { description: 'Tells that prompts changed' }, () => {
    notify.promptsChanged();
    return changed;
  });
  return server;
}

async function readText(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function parseOrUndefined(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function refuse(res: ServerResponse, status: number, message: string): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  sendJson(res, status, { jsonrpc: '2.0', error: { code: status, message }, id: null });
}

function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
