/** A stdio MCP server with one tool that needs to know who its person is. */
import type { GraphCaller } from '@valetkey/core/graph/graph-client';
import { defaultProfileFields, getProfile } from '@valetkey/core/graph/profile';
import { callGraph, createLocalGraph, type SignIn, type ToolContext, withSignIn } from '@valetkey/local';
import { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';

/** Graph answers the same for a while; nobody's job title changes by the second. */
const cacheSeconds = 60;
const profile = z.object(
  Object.fromEntries(defaultProfileFields.map((field) => [field, z.string().nullable()] as const)),
);

/** @param auth of the whole process: a server is made per connection, the person stays the same. */
export function createProfileServer(auth: SignIn): McpServer {
  const graph = createLocalGraph(auth);
  const server = new McpServer({ name: 'local-profile', version: '0.1.0' });
  server.registerTool(
    'GetUserDetailsFromGraph',
    {
      title: 'Your profile',
      description: 'Gets the details of the signed-in person from Microsoft Graph.',
      outputSchema: profile,
      annotations: { readOnlyHint: true, openWorldHint: true },
    },
    (context: ToolContext) =>
      withSignIn(
        context,
        server.server.getClientCapabilities(),
        async (options) => {
          const ask = (caller: GraphCaller) =>
            getProfile(graph, caller, { cacheSeconds, signal: options.signal });
          const found = await callGraph(auth, ['User.Read'], ask, options);
          return {
            content: [{ type: 'text', text: JSON.stringify(found) }],
            structuredContent: { ...found },
          };
        },
        auth.cancelPrompt,
      ),
  );
  return server;
}
