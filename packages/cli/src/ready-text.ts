import type { Ready } from './commands/dev.ts';

/** What `valetkey dev` prints for a person: where everything is, who can sign in, and what to paste where. */
export function describeReady(ready: Ready): string {
  const [name, url] = Object.entries(ready.mcp)[0] ?? ['', ''];
  const width = Math.max(...ready.users.map(({ username }) => username.length));
  const users = ready.users.map(
    ({ username, password, roles }) =>
      `  ${username.padEnd(width)}  ${password}  ${roles.join(', ') || '(no role)'}`,
  );
  return `
Valetkey is ready.

  MCP server     ${url}
  gateway        ${ready.gateway}
  Entra emulator ${ready.emulator}

Sign in as one of (username, password, app roles):

${users.join('\n')}

Connect a client:

  MCP Inspector  npx @modelcontextprotocol/inspector --transport http --server-url ${url}
  VS Code        code --add-mcp '${JSON.stringify({ name, type: 'http', url })}'
  Claude Code    claude mcp add --transport http ${name} ${url}

Stop with Ctrl+C.
`;
}
