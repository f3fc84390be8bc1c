import type { Ready } from './commands/dev.ts';

/** What the line of JSON does not hold. */
export interface ReadyDetails {
  /** By user name: disabled, guest, in many groups. */
  readonly notes: ReadonlyMap<string, string>;
  /** Where keys, store, audit file and log are. */
  readonly stateDirectory: string;
}

/** What `valetkey dev` prints for a person: where everything is, who can sign in, and what to paste where. */
export function describeReady(ready: Ready, more: ReadyDetails): string {
  const servers = Object.entries(ready.mcp);
  // Their own server, where there is one, is what they want to connect to.
  const [name, url] = servers.at(-1) ?? ['', ''];
  const width = (column: (user: Ready['users'][number]) => string) =>
    Math.max(...ready.users.map((user) => column(user).length));
  const nameWidth = width(({ username }) => username);
  const passwordWidth = width(({ password }) => password);
  const rolesWidth = width(rolesOf);
  const users = ready.users.map((user) =>
    `  ${user.username.padEnd(nameWidth)}  ${user.password.padEnd(passwordWidth)}  ${rolesOf(user).padEnd(rolesWidth)}  ${more.notes.get(user.username) ?? ''}`.trimEnd(),
  );
  return `
Valetkey is ready.

${servers.map(([, address]) => `  MCP server     ${address}`).join('\n')}
  gateway        ${ready.gateway}
  Entra emulator ${ready.emulator}
  configuration  ${more.stateDirectory}/valetkey.yaml
  audit and log  ${more.stateDirectory}

Sign in as one of (username, password, app roles, what is special):

${users.join('\n')}

Connect a client:

  MCP Inspector  npx @modelcontextprotocol/inspector --transport http --server-url ${url}
  VS Code        code --add-mcp '${JSON.stringify({ name, type: 'http', url })}'
  Claude Code    claude mcp add --transport http ${name} ${url}

Stop with Ctrl+C.
`;
}

function rolesOf({ roles }: Ready['users'][number]): string {
  return roles.join(', ') || '(no role)';
}
