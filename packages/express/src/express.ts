/** `@valetkey/express`: Entra ID sign-in for an MCP server of one's own. */
export { GraphFailed } from '@valetkey/core/graph/ask-graph';
export type { BearerRequirement } from './bearer-guard.ts';
export { type AuthInfo, type CallSource, NotAuthenticated } from './call.ts';
export type { NodeHandler } from './door.ts';
export { type EntraToken, EntraTokenFailed, type EntraTokenOptions } from './entra-tokens.ts';
export type { FetchHandler } from './fetch-face.ts';
export type { GuardedMcpServer, RegisteringServer, ToolSchema } from './guarded-mcp-server.ts';
export type { GuardableServer, Requires } from './guarded-server.ts';
export type { FetchMcpHandler, McpHandler, NodeMcpHandler } from './mcp-door.ts';
export type { ServerFactory } from './legacy-sse.ts';
export { OptionsFault } from './options-fault.ts';
export { readOptions } from './read-options.ts';
export { type Valetkey, valetkey, type ValetkeyOptions } from './valetkey.ts';
