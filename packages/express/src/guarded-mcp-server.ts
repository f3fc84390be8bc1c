/** Types only: nothing of the SDK is loaded. */
import type {
  McpServer,
  RegisteredTool,
  StandardSchemaWithJSON,
  ToolCallback,
} from '@modelcontextprotocol/server';
import type { Requires } from './guarded-server.ts';

type PlainConfig = Omit<Parameters<McpServer['registerTool']>[1], 'inputSchema' | 'outputSchema'>;

export interface RegisterGuardedTool {
  /**
   * `registerTool` of the SDK, with what the tool asks of its caller.
   * @throws OptionsFault for a rule that would not mean what it seems to.
   */
  registerTool<Input extends StandardSchemaWithJSON | undefined = undefined>(
    name: string,
    config: PlainConfig & {
      inputSchema?: Input;
      outputSchema?: StandardSchemaWithJSON;
      requires?: Requires;
    },
    handler: ToolCallback<Input>,
  ): RegisteredTool;
}

/** `McpServer` of SDK 2.x that takes `requires` beside a tool. */
export type GuardedMcpServer = RegisterGuardedTool & McpServer;
