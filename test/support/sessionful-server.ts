/** A server of SDK 1.x with sessions of the older protocol: one server and one transport for each, as its samples have it. */
import { randomUUID } from 'node:crypto';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { NodeMcpHandler } from '@valetkey/express';

/** @param build makes the server of a session. */
export function sessionful(build: () => McpServer): NodeMcpHandler {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  return async (req, res, body) => {
    const known = sessions.get(String(req.headers['mcp-session-id']));
    if (known !== undefined) return known.handleRequest(req, res, body);
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    await build().connect(transport);
    return transport.handleRequest(req, res, body);
  };
}

export interface McpSession {
  readonly id: string;
  /** One message or a batch. */
  post(message: unknown, token?: string, signal?: AbortSignal): Promise<Response>;
  ask(method: 'GET' | 'DELETE', token?: string, headers?: Record<string, string>): Promise<Response>;
}

export async function openSession(mcpUrl: string, ownToken: string): Promise<McpSession> {
  const headersOf = (token: string) => ({
    authorization: `Bearer ${token}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  });
  const send = (message: unknown, headers: Record<string, string>, signal: AbortSignal | null = null) =>
    fetch(mcpUrl, { method: 'POST', headers, body: JSON.stringify(message), signal });
  const params = {
    protocolVersion: '2025-03-26',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  };
  const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params };
  const begun = await send(initialize, headersOf(ownToken));
  await begun.text();
  const id = begun.headers.get('mcp-session-id');
  if (id === null) throw new Error(`no session: ${begun.status}`);
  const session = { 'mcp-session-id': id };
  await send({ jsonrpc: '2.0', method: 'notifications/initialized' }, { ...headersOf(ownToken), ...session });
  return {
    id,
    post: (message, token = ownToken, signal) => send(message, { ...headersOf(token), ...session }, signal),
    ask: (method, token = ownToken, headers = {}) =>
      fetch(mcpUrl, { method, headers: { ...headersOf(token), ...session, ...headers } }),
  };
}
