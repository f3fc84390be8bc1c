/**
 * Private-use redirect URIs (RFC 8252 §7.1) of known MCP clients, shipped as data and compared exactly. A scheme
 * as such is never allowed: any application on the person's machine can claim one, so each address is named.
 * VS Code needs no row: its redirects are `https://vscode.dev/redirect`, `https://insiders.vscode.dev/redirect`
 * and loopback.
 */
export const privateRedirects: readonly { readonly uri: string; readonly client: string }[] = [
  { uri: 'cursor://anysphere.cursor-mcp/oauth/callback', client: 'Cursor' },
];
