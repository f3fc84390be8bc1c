/** For tests: a stdio server with a tool whose `region` a header repeats, until it is told otherwise. Runs as a process. */
import { fromJsonSchema, type JsonSchemaType, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

const mirrored = { type: 'string' as const, 'x-mcp-header': 'Region' };
const schemaOf = (region: JsonSchemaType) =>
  fromJsonSchema<{ region: string }>({ type: 'object', properties: { region } });

serveStdio(() => {
  const server = new McpServer({ name: 'mirrored', version: '1' });
  const route = server.registerTool('route', { inputSchema: schemaOf(mirrored) }, ({ region }) => ({
    content: [{ type: 'text', text: region }],
  }));
  server.registerTool('forget', {}, () => {
    route.update({ paramsSchema: schemaOf({ type: 'string' }) });
    return { content: [] };
  });
  return server;
});
