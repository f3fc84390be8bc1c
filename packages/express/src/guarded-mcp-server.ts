/**
 * Types only, taken from the server that is given: nothing of the SDK is loaded, and whoever has another version of it,
 * or none, compiles all the same.
 */
import type { GuardableServer, Requires } from './guarded-server.ts';

/** `McpServer` of SDK 2.x. That of 1.x has `tool` too, and gets its rules as a table. */
export interface RegisteringServer extends GuardableServer {
  registerTool(name: string, config: never, handler: never): unknown;
  readonly tool?: never;
}

/** A schema that can validate and describe itself (standardschema.dev), such as those of Zod, ArkType and Valibot. */
export interface ToolSchema {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly jsonSchema: {
      readonly input: (options: never) => Record<string, unknown>;
      readonly output: (options: never) => Record<string, unknown>;
    };
    readonly types?: { readonly input: unknown; readonly output: unknown } | undefined;
  };
}

type Registering<Server extends RegisteringServer> = Parameters<Server['registerTool']>;

type PlainConfig<Server extends RegisteringServer> = Omit<
  Registering<Server>[1],
  'inputSchema' | 'outputSchema'
>;

type OutputOf<Schema extends ToolSchema> = NonNullable<Schema['~standard']['types']>['output'];

/** What the SDK calls: with the arguments where the tool has a schema, and with the context alone where it has none. */
type Handler<Server extends RegisteringServer, Input> = Registering<Server>[2] extends (
  args: never,
  context: infer Context,
) => infer Answer
  ? Input extends ToolSchema
    ? (args: OutputOf<Input>, context: Context) => Answer
    : (context: Context) => Answer
  : never;

export interface RegisterGuardedTool<Server extends RegisteringServer> {
  /**
   * `registerTool` of the SDK, with what the tool asks of its caller.
   * @throws OptionsFault for a rule that would not mean what it seems to.
   */
  registerTool<Input extends ToolSchema | undefined = undefined>(
    name: string,
    config: PlainConfig<Server> & {
      inputSchema?: Input;
      outputSchema?: ToolSchema;
      requires?: Requires;
    },
    handler: Handler<Server, Input>,
  ): ReturnType<Server['registerTool']>;
}

/** The server, which takes `requires` beside a tool. */
export type GuardedMcpServer<Server extends RegisteringServer> = RegisterGuardedTool<Server> & Server;
