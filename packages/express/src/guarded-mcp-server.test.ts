/** What is expected here the compiler checks, with the types of both SDKs. */
import type { McpServer as OlderServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { McpServer, RegisteredTool, StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { expectTypeOf, test } from 'vitest';
import type { GuardedMcpServer, RegisteringServer } from './guarded-mcp-server.ts';

type Guarded = GuardedMcpServer<McpServer>;

test('a tool with `requires` keeps the types of its schema and of the SDK', () => {
  const register = (server: Guarded, inputSchema: StandardSchemaWithJSON<unknown, { count: number }>) =>
    server.registerTool(
      'save',
      { title: 'Save', inputSchema, requires: { anyRole: ['Writer'] } },
      (args, { mcpReq }) => {
        expectTypeOf(args).toEqualTypeOf<{ count: number }>();
        expectTypeOf(mcpReq.method).toEqualTypeOf<string>();
        return { content: [] };
      },
    );
  expectTypeOf(register).returns.toEqualTypeOf<RegisteredTool>();
  const registerPlain = (server: Guarded) =>
    server.registerTool('plain', { requires: { scopes: ['use'] } }, ({ mcpReq }) => {
      expectTypeOf(mcpReq.method).toEqualTypeOf<string>();
      return { content: [] };
    });
  expectTypeOf(registerPlain).returns.toEqualTypeOf<RegisteredTool>();
});

test('the guarded server is a server of the SDK; one of SDK 1.x needs its rules as a table', () => {
  expectTypeOf<Guarded>().toExtend<McpServer>();
  expectTypeOf<McpServer>().toExtend<RegisteringServer>();
  expectTypeOf<OlderServer>().not.toExtend<RegisteringServer>();
});
