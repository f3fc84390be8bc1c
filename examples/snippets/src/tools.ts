/** The three tools. A server is built for one request of one person, so no result can reach another. */
import { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { isSnippetName, type SnippetStore } from './snippet-store.ts';

const maxSnippetCharacters = 100_000;

const snippetName = z
  .string({ error: 'No snippet name provided' })
  .refine(isSnippetName, 'A snippet name has 1 to 64 letters, digits, "_" or "-"')
  .describe('1 to 64 letters, digits, "_" or "-"');

const snippetText = z
  .string({ error: 'No snippet content provided' })
  .min(1, 'No snippet content provided')
  .max(maxSnippetCharacters, `A snippet has at most ${maxSnippetCharacters} characters`)
  .describe('The text to keep');

/** @param person the id the gateway vouched for; every snippet read or written is this person's. */
export function createSnippetTools(person: string, store: SnippetStore): McpServer {
  const server = new McpServer({ name: 'valetkey-snippets', version: '0.1.0' });

  server.registerTool(
    'hello_mcp',
    {
      description: 'Says hello.',
      outputSchema: z.object({ message: z.string() }),
      annotations: { readOnlyHint: true },
    },
    () => answer('Hello I am MCPTool!', { message: 'Hello I am MCPTool!' }),
  );

  server.registerTool(
    'get_snippet',
    {
      description: 'Reads one of your own snippets by its name.',
      inputSchema: z.object({ snippetname: snippetName }),
      outputSchema: z.object({ snippetname: z.string(), snippet: z.string() }),
      annotations: { readOnlyHint: true },
    },
    async ({ snippetname }) => {
      const snippet = await store.find(person, snippetname);
      if (snippet === undefined) return failure(`You have no snippet named '${snippetname}'`);
      return answer(snippet, { snippetname, snippet });
    },
  );

  server.registerTool(
    'save_snippet',
    {
      description: 'Keeps a text under a name, for you alone. A snippet of the same name is replaced.',
      inputSchema: z.object({ snippetname: snippetName, snippet: snippetText }),
      outputSchema: z.object({ snippetname: z.string(), saved: z.literal(true) }),
      annotations: { destructiveHint: true, idempotentHint: true },
    },
    async ({ snippetname, snippet }) => {
      await store.save(person, snippetname, snippet);
      // The name, never the content: what a person keeps does not belong in a transcript twice.
      return answer(`Snippet '${snippetname}' saved successfully`, { snippetname, saved: true });
    },
  );

  return server;
}

function answer(text: string, structuredContent: Record<string, unknown>) {
  return { content: [{ type: 'text' as const, text }], structuredContent };
}

function failure(text: string) {
  return { content: [{ type: 'text' as const, text }], isError: true };
}
