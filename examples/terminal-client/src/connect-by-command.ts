import type { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

/** Starts a local server; what it says on stderr stands on ours. */
export async function connectByCommand(
  client: Client,
  command: string,
  args: readonly string[],
): Promise<Client> {
  const env = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    env: Object.fromEntries(env),
    stderr: 'inherit',
  });
  await client.connect(transport);
  return client;
}
