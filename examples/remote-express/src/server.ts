/** A remote MCP server with one tool that shows each of its people their own profile, and nobody else's. */
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { getProfile } from '@valetkey/core/graph/profile';
import type { NodeHandler, Valetkey } from '@valetkey/express';
import express, { type Express } from 'express';
import * as z from 'zod';

/** Graph answers the same for a while; nobody's address changes by the second. */
const cacheSeconds = 60;
const select = ['displayName', 'mail', 'userPrincipalName'] as const;
const profile = z.object(Object.fromEntries(select.map((field) => [field, z.string().nullable()] as const)));

/** @param isLegacy also serve the HTTP+SSE pair of 2024-11-05; needs the option `legacySse`. */
export function createRemoteServer(vk: Valetkey, isLegacy = false): Express {
  const factory = () => createProfileServer(vk);
  const mcp = createMcpHandler(factory);
  const serve: NodeHandler = isLegacy ? vk.serve(mcp, factory) : vk.serve(mcp);
  const app = express().disable('x-powered-by').use(serve);
  app.get('/', (_req, res) => void res.type('text/plain').send(`An MCP server: ${vk.resource}\n`));
  return app;
}

/** One for each request: a server that people share can answer one of them with another's result. */
function createProfileServer(vk: Valetkey): McpServer {
  const server = vk.guard(new McpServer({ name: 'remote-profile', version: '0.1.0' }));
  server.registerTool(
    'getUserDetails',
    {
      title: 'Your profile',
      description: 'Gets name, mail address and user name of the caller from Microsoft Graph.',
      outputSchema: profile,
      annotations: { readOnlyHint: true, openWorldHint: true },
    },
    async (context) => {
      const found = await vk.callGraph(context, ['User.Read'], (caller, graph) =>
        getProfile(graph, caller, { select, cacheSeconds, signal: context.mcpReq.signal }),
      );
      return {
        content: [{ type: 'text', text: JSON.stringify(found) }],
        structuredContent: { ...found },
      };
    },
  );
  return server;
}
