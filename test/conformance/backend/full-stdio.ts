/** The server of `full-backend.ts` on stdio, as a process: what is left of it where there is no HTTP. */
import type { McpServer, ServerNotifier } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { createLegacyServer, createModernServer } from './full-backend.ts';
import { createTasks } from './tasks.ts';

const tasks = createTasks();

serveStdio(({ era }) => {
  if (era !== 'modern') return createLegacyServer();
  const made: { server?: McpServer } = {};
  const notify: ServerNotifier = {
    toolsChanged: () => made.server?.sendToolListChanged(),
    promptsChanged: () => made.server?.sendPromptListChanged(),
    resourcesChanged: () => made.server?.sendResourceListChanged(),
    resourceUpdated: (uri) => void made.server?.server.sendResourceUpdated({ uri }),
  };
  made.server = createModernServer(tasks, notify);
  return made.server;
});
