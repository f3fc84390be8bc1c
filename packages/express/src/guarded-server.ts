import { createPolicy, type Policy } from '@valetkey/core/policy/decide';
import type { ToolRequirement } from '@valetkey/core/policy/rules';
import type { ProtectedResource } from '@valetkey/gateway/config/config';
import { parseToolRules } from '@valetkey/gateway/config/own-server';
import { OptionsFault } from './options-fault.ts';
import { guardTransport, type GuardOptions } from './guard.ts';

/** What a tool asks of its caller beyond what it takes to enter. In the words of the configuration file. */
export type Requires = ToolRequirement;

/** The part of an SDK server that is used: `McpServer` of 1.x and 2.x, or the `Server` below it. */
export interface GuardableServer {
  connect(transport: never): Promise<void>;
  /** Of `McpServer`: the protocol part, which every connection goes through. */
  readonly server?: { connect(transport: never): Promise<void> };
  registerTool?: unknown;
}

type Register = (name: string, config: ToolConfig, ...rest: unknown[]) => unknown;

interface ToolConfig {
  readonly requires?: unknown;
  readonly annotations?: { readonly readOnlyHint?: unknown };
}

export type TransportGuard = Omit<GuardOptions, 'policy' | 'isReadOnly'>;

/**
 * Puts the policy into a server, and `requires` into its `registerTool`.
 *
 * @param table rules by tool name, for what is not registered with `registerTool`.
 * @throws OptionsFault, here and from `registerTool`, for a rule that would not mean what it seems to.
 */
export function guardServer(
  server: GuardableServer,
  resource: ProtectedResource,
  guard: TransportGuard,
  table: Readonly<Record<string, Requires>> = {},
): void {
  const declared = new Map<string, unknown>(Object.entries(table));
  const readOnly = new Map<string, boolean>();
  /** Made when it is asked for: a tool can come while clients are connected, and its rule with it. */
  const rules: { policy?: Policy } = {};
  checkRules(declared, resource);

  const { registerTool } = server;
  if (typeof registerTool === 'function') {
    const register = registerTool.bind(server) as Register;
    server.registerTool = ((name, { requires, ...config }, ...rest) => {
      if (requires !== undefined) {
        if (declared.has(name) || Object.hasOwn(resource.rules.tools, name))
          throw new OptionsFault([ruledTwice(name)]);
        checkRules(new Map([[name, requires]]), resource);
        declared.set(name, requires);
        delete rules.policy;
      }
      readOnly.set(name, config.annotations?.readOnlyHint === true);
      return register(name, config, ...rest);
    }) satisfies Register;
  }

  const protocol = server.server ?? server;
  const connect = protocol.connect.bind(protocol);
  protocol.connect = async (transport: never) => {
    await connect(transport);
    // In the same turn: nothing can have arrived in between.
    guardTransport(transport, {
      ...guard,
      policy: () => (rules.policy ??= policyOf(resource, declared)),
      isReadOnly: (name) => readOnly.get(name),
    });
  };
}

/** The servers of one factory declare the same rules again and again. */
const policies = new WeakMap<ProtectedResource, Map<string, Policy>>();
const maxPolicies = 16;

function policyOf(resource: ProtectedResource, declared: ReadonlyMap<string, unknown>): Policy {
  const known = policies.get(resource) ?? new Map<string, Policy>();
  policies.set(resource, known);
  const key = JSON.stringify([...declared]);
  const found = known.get(key);
  if (found !== undefined) return found;
  const { rules } = resource;
  const policy = createPolicy({ ...rules, tools: { ...rules.tools, ...checkRules(declared, resource) } });
  if (known.size >= maxPolicies) known.clear();
  known.set(key, policy);
  return policy;
}

function checkRules(declared: ReadonlyMap<string, unknown>, resource: ProtectedResource) {
  const parsed = parseToolRules(Object.fromEntries(declared), resource);
  if (!parsed.ok) throw new OptionsFault(parsed.error);
  return parsed.value;
}

function ruledTwice(name: string) {
  return {
    path: `tools.${name}`,
    problem: 'has rules in two places, so it could not be said which hold',
    remedy: 'Keep those beside the tool, or those of the options',
  };
}
