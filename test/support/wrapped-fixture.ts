/** A stdio MCP server that knows nothing of sign-in, with one tool for each thing that can happen behind a wrapper. */
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod';

const text = (value: unknown) => ({ content: [{ type: 'text' as const, text: JSON.stringify(value) }] });

process.stdout.write('Welcome to a server that greets on stdout\n');
serveStdio(() => {
  const server = new McpServer({ name: 'wrapped', version: '1' });
  server.registerTool('who', {}, ({ mcpReq }) => {
    const told = Object.entries(process.env).filter(([name]) => /^VALETKEY_PERSON_|^GRAPH_TOKEN$/.test(name));
    return text({ meta: mcpReq._meta, env: Object.fromEntries(told) });
  });
  server.registerTool('save', {}, () => text('saved'));
  server.registerTool('big', { inputSchema: z.object({ bytes: z.number() }) }, ({ bytes }) =>
    text('x'.repeat(bytes)),
  );
  server.registerTool('end', { inputSchema: z.object({ code: z.number() }) }, ({ code }) =>
    process.exit(code),
  );
  return server;
});
