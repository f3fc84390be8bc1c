/** Lists the tools of an MCP server, or calls one. See README.md. */
import { parseArgs } from 'node:util';
import { Client } from '@modelcontextprotocol/client';
import { connectByUrl } from './connect-by-url.ts';
import { connectByCommand } from './connect-by-command.ts';

const usage =
  'terminal-client [--call TOOL [--arguments JSON]] [--trace] URL\n' +
  'terminal-client [--call TOOL [--arguments JSON]] -- COMMAND …\n';

const client = () => new Client({ name: 'Terminal client', version: '0.1.0' });
const say = (line: string) => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      call: { type: 'string' },
      arguments: { type: 'string', default: '{}' },
      trace: { type: 'boolean', default: false },
    },
  });
  const [server = '', ...more] = positionals;
  if (server === '') throw new Error(usage);
  const connected = URL.canParse(server)
    ? await connectByUrl(client, new URL(server), say, values.trace)
    : await connectByCommand(client(), server, more);
  try {
    if (values.call === undefined) {
      const { tools } = await connected.listTools();
      for (const { name, description = '' } of tools) console.log(`${name}  ${description}`);
      return 0;
    }
    const given = JSON.parse(values.arguments) as Record<string, unknown>;
    const { content, isError } = await connected.callTool({ name: values.call, arguments: given });
    for (const part of content) console.log(part.type === 'text' ? part.text : `(${part.type})`);
    return isError === true ? 1 : 0;
  } finally {
    await connected.close();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  return 1;
});
