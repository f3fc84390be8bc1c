/** For tests: a stdio server made with the current SDK, which speaks both eras. Runs as a process. */
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod';

serveStdio(() => {
  const server = new McpServer({ name: 'both-eras', version: '1' });
  server.registerTool('who', {}, ({ mcpReq }) => {
    const identity = mcpReq._meta?.['valetkey/identity'] as { objectId?: string } | undefined;
    return { content: [{ type: 'text', text: `${identity?.objectId} ${process.pid}` }] };
  });
  server.registerTool(
    'steps',
    { inputSchema: z.object({ steps: z.number() }) },
    async ({ steps }, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      if (progressToken === undefined) return { content: [{ type: 'text', text: 'nobody listens' }] };
      for (let progress = 1; progress <= steps; progress += 1) {
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress } });
      }
      return { content: [{ type: 'text', text: 'done' }] };
    },
  );
  server.registerTool('grow', {}, () => {
    server.registerTool(`grown-${Date.now()}`, {}, () => ({ content: [] }));
    return { content: [] };
  });
  return server;
});
