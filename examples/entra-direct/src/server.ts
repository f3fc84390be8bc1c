/** An MCP server that takes Entra's own access tokens: people with scopes, applications with app roles. No framework. */
import { createServer, type Server } from 'node:http';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import type { Valetkey } from '@valetkey/express';
import * as z from 'zod';

const caller = z.object({
  kind: z.enum(['person', 'application']),
  username: z.string().optional(),
  client: z.string(),
  roles: z.array(z.string()),
  scopes: z.array(z.string()),
});

export function createDirectServer(vk: Valetkey): Server {
  return createServer(vk.serve(createMcpHandler(() => createCallerServer(vk))));
}

function createCallerServer(vk: Valetkey): McpServer {
  const server = vk.guard(new McpServer({ name: 'entra-direct', version: '0.1.0' }));
  server.registerTool(
    'who_am_i',
    { description: 'Tells who is calling, and with what rights.', outputSchema: caller },
    (context) => {
      const { isApplication = false, username, clientId, roles, scopes } = vk.principal(context);
      const structuredContent = {
        kind: isApplication ? 'application' : 'person',
        ...(username === undefined ? {} : { username }),
        client: clientId,
        roles: [...roles],
        scopes: [...scopes],
      };
      return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
    },
  );
  server.registerTool(
    'service_status',
    { description: 'For services only.', requires: { anyRole: ['Snippets.Service'] } },
    () => ({ content: [{ type: 'text', text: 'All is well' }] }),
  );
  return server;
}
