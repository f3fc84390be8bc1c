/** `valetkey(options)`: sign-in with Entra ID in an MCP server's own process. */
import type { Result } from '@valetkey/core/base/result';
import type { GraphCaller, GraphClient } from '@valetkey/core/graph/graph-client';
import type { GraphRefusal } from '@valetkey/core/graph/graph-refusal';
import type { Principal } from '@valetkey/core/policy/principal';
import { loadOwnServer, type OwnServerOptions } from '@valetkey/gateway/config/own-server';
import type { World } from '@valetkey/gateway/world';
import { type Admission, createAdmission } from './admission.ts';
import { type BearerRequirement, createBearerGuard } from './bearer-guard.ts';
import { callOf, type CallSource } from './call.ts';
import { createDoor, type NodeHandler } from './door.ts';
import { createEntraTokens, type EntraToken, type EntraTokenOptions } from './entra-tokens.ts';
import { type Front, openFront } from './front.ts';
import { askGraphAs, openGraph } from './graph.ts';
import type { GuardedMcpServer, RegisteringServer } from './guarded-mcp-server.ts';
import { type GuardableServer, guardServer, type Requires } from './guarded-server.ts';
import { createLegacyRoutes, type ServerFactory } from './legacy-sse.ts';
import { createMcpRoute, type McpHandler } from './mcp-door.ts';
import { nameVariables } from './option-origins.ts';
import { OptionsFault } from './options-fault.ts';
import { type FetchHandler, openFetchFace } from './fetch-face.ts';
import { createWorld } from './world.ts';

export interface Valetkey {
  /** The protected resource identifier: the address of the MCP endpoint. */
  readonly resource: string;
  /**
   * The whole server: authorization server, metadata, and the MCP endpoint behind its guard. For `app.use` of Express,
   * where anything else goes on to the next handler; or alone, for `http.createServer`.
   *
   * @param factory makes the server of one connection, where the option `legacySse` is set: what `createMcpHandler` takes.
   * @throws OptionsFault when one of the two is there without the other.
   */
  serve(mcp: McpHandler, factory?: ServerFactory): NodeHandler;
  /** The same in the fetch style, for `Request` in and `Response` out. */
  fetch(mcp: McpHandler, factory?: ServerFactory): FetchHandler;
  /** Authorization server and metadata alone, for whoever mounts the MCP endpoint behind `requireBearerAuth`. */
  readonly router: NodeHandler;
  /**
   * Middleware for any route: a token for this server, and what is required; else 401 or 403 with its challenge. The
   * caller stands in `req.auth` then, as the MCP SDK wants it.
   * @throws OptionsFault
   */
  requireBearerAuth(required?: BearerRequirement): NodeHandler;
  /**
   * Puts the policy and the audit into an MCP server: calls are judged, lists filtered. `McpServer` of SDK 2.x takes
   * `requires` beside a tool from then on; any other server, also of SDK 1.x, gets its rules as a table.
   * @throws OptionsFault
   */
  guard<Server extends RegisteringServer>(server: Server): GuardedMcpServer<Server>;
  guard<Server extends GuardableServer>(server: Server, tools: Readonly<Record<string, Requires>>): Server;
  /**
   * Who is calling.
   * @param from the request, or the context of a tool. @throws NotAuthenticated
   */
  principal(from: CallSource): Principal;
  /**
   * A token of the caller's for Microsoft Graph (`User.Read`) or another API: of the sign-in's own refresh token,
   * renewed silently. Where Entra wants the person, the answer to this request becomes the challenge that makes the
   * client ask them, and the sign-in that follows takes to Entra what Entra wants.
   * @throws EntraTokenFailed, NotAuthenticated
   */
  entraToken(from: CallSource, scopes: readonly string[], options?: EntraTokenOptions): Promise<EntraToken>;
  /**
   * Asks Microsoft Graph as the caller, with its waits and claims challenges, and nobody but Graph's own hosts.
   * @throws EntraTokenFailed, GraphFailed, NotAuthenticated
   */
  callGraph<Value>(
    from: CallSource,
    scopes: readonly string[],
    ask: (caller: GraphCaller, graph: GraphClient) => Promise<Result<Value, GraphRefusal>>,
  ): Promise<Value>;
  /** Ends open work, and closes the store and the audit. */
  close(): Promise<void>;
}

/** The options of the configuration file in the same words, with secrets as values or as `env:` and `file:` references. */
export interface ValetkeyOptions extends OwnServerOptions {
  /** What comes from outside: clock, randomness, log. Default: the real ones, with warnings on stderr. */
  readonly world?: Partial<World>;
}

/**
 * Opens keys, store and audit, and asks Entra nothing before somebody signs in.
 *
 * @throws OptionsFault with every fault of the options at once; StartFault when the keys cannot be used;
 *   StoreUnavailable when the store does not open.
 */
export async function valetkey({ world: given, ...options }: ValetkeyOptions): Promise<Valetkey> {
  const config = loadOwnServer(options, { env: process.env });
  if (!config.ok) throw new OptionsFault(nameVariables(config.error, options));
  const front = await openFront(config.value, createWorld(given));
  const { resource } = config.value;
  const tokens = createEntraTokens(front);
  const graph = openGraph(front);
  const admissionOf = createAdmissions(front);
  const serve = (mcp: McpHandler, factory?: ServerFactory) => {
    const isLegacy = config.value.legacySse !== undefined;
    if (isLegacy !== (factory !== undefined)) throw new OptionsFault([legacyInHalf]);
    const legacy = factory === undefined ? [] : createLegacyRoutes(front, factory);
    return createDoor([...front.routes, createMcpRoute(front, resource, mcp), ...legacy], front.router);
  };

  return {
    resource: resource.resource,
    router: createDoor(front.routes, front.router),
    serve,
    fetch: (mcp, factory) => openFetchFace(serve(mcp, factory)),
    requireBearerAuth: (required) => createBearerGuard(front, required),
    guard(server: GuardableServer, tools?: Readonly<Record<string, Requires>>) {
      guardServer(server, resource, { admissionOf, nowMs: front.world.clock.nowMs }, tools);
      return server as never;
    },
    principal: (from) => callOf(from).principal,
    entraToken: (from, scopes, more) => tokens.get(callOf(from), scopes, more),
    async callGraph(from, scopes, ask) {
      const call = callOf(from);
      return askGraphAs(
        (more) => tokens.get(call, scopes, more),
        (caller) => ask(caller, graph),
      );
    },
    async close() {
      await graph.close();
      await front.close();
    },
  };
}

const legacyInHalf = {
  path: 'legacySse',
  problem: 'is set without a factory, or the other way round',
  remedy: 'Set the option, and give serve() the factory of createMcpHandler as its second argument',
};

function createAdmissions(front: Front): (resource: string) => Admission {
  const { resource, legacySse } = front.config;
  const known = new Map(
    [resource, ...(legacySse === undefined ? [] : [legacySse.resource])].map((each) => [
      each.resource,
      createAdmission(front, each),
    ]),
  );
  return (name) => {
    const found = known.get(name);
    if (found === undefined) throw new Error('a call at a resource that is not served');
    return found;
  };
}
