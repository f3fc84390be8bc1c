/** A backend with tools of both kinds, prompts, resources, a template and completions, and a note of what it was asked. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import { completable, createMcpHandler, McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import { z } from 'zod';

export interface LibraryBackend {
  readonly url: string;
  /** What ran: `tool read_book`, `prompt summarize`, `resource file:///projects/plan`. */
  readonly ran: string[];
  close(): Promise<void>;
}

export async function startLibraryBackend(): Promise<LibraryBackend> {
  const ran: string[] = [];
  const serve = toNodeHandler(createMcpHandler(() => createLibrary((what) => void ran.push(what))));
  // The SDK's own type of a Node request does not allow for exactOptionalPropertyTypes.
  const server = createServer((req, res) => void serve(req as NodeIncomingMessageLike, res));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    ran,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function createLibrary(note: (what: string) => void): McpServer {
  const server = new McpServer({ name: 'library', version: '1' });
  const tool = (name: string, readOnlyHint: boolean) =>
    server.registerTool(name, { description: name, annotations: { readOnlyHint } }, () => {
      note(`tool ${name}`);
      return { content: [{ type: 'text', text: name }] };
    });
  tool('read_book', true);
  tool('write_book', false);
  tool('burn_book', false);
  const suggest = (value: string) => ['fast', 'fair'].filter((each) => each.startsWith(value));
  for (const name of ['summarize', 'admin_report']) {
    const argsSchema = z.object({ style: completable(z.string(), suggest) });
    server.registerPrompt(name, { description: name, argsSchema }, () => {
      note(`prompt ${name}`);
      return { messages: [{ role: 'user', content: { type: 'text', text: name } }] };
    });
  }
  for (const uri of ['file:///projects/plan', 'file:///secret/plan'])
    server.registerResource(uri, uri, { description: uri }, () => {
      note(`resource ${uri}`);
      return { contents: [{ uri, text: uri }] };
    });
  for (const folder of ['projects', 'secret']) {
    const complete = { name: () => ['plan', 'budget'] };
    const template = new ResourceTemplate(`file:///${folder}/{name}/notes`, { list: undefined, complete });
    server.registerResource(`${folder} notes`, template, { description: folder }, ({ href }) => {
      note(`resource ${href}`);
      return { contents: [{ uri: href, text: href }] };
    });
  }
  return server;
}
