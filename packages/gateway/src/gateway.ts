/**
 * The composition root. What lasts is opened in `services.ts`; what a reload replaces is a generation: the
 * authorization server with the way of a person (`authority.ts`), the backends (`backends.ts`), and the addresses of
 * both (`routes.ts`). The way of an MCP request stands in `mcp-endpoint.ts`.
 */
import type { RequestListener } from 'node:http';
import { randomId } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Operation } from '@valetkey/core/mcp/operation';
import { createPolicy, type Policy } from '@valetkey/core/policy/decide';
import { createAuditGate } from './audit/audit.ts';
import { createAuthority } from './authority.ts';
import { type Backend, isSameWay, openBackend } from './backends.ts';
import type { AnyBackendConfig, Config } from './config/config.ts';
import type { ConfigFault } from './config/fault.ts';
import { checkReload, isSameConfig } from './config/reload.ts';
import { createClientIp } from './http/client-ip.ts';
import { type CheckClientLimit, createClientLimit } from './http/client-limit.ts';
import { createRouter } from './http/dispatch.ts';
import { createRateLimiter, type RateLimiter } from './http/rate-limit.ts';
import type { OpenStreams } from './proxy/open-streams.ts';
import { createRoutes } from './routes.ts';
import { openServices, type Services, type ServicesOptions, StartFault } from './services.ts';
import { openTelemetry } from './telemetry/open-telemetry.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import type { World } from './world.ts';

export { StartFault };

export type GatewayOptions = ServicesOptions;

export interface Gateway {
  /** For `node:http`: the whole gateway. */
  readonly listener: RequestListener;
  /** Whether a path is that of an MCP endpoint, for `openFastPath`. */
  isMcpPath(path: string): boolean;
  /**
   * Puts another configuration into effect: all of it from one request to the next, or nothing.
   *
   * Requests under way end as they began, and connections stay open; a backend that has not changed keeps its own
   * connections. Event streams that the new configuration would not let in are cut.
   *
   * @returns what became of the backends, or what only a restart can change.
   */
  reload(config: Config): Promise<Result<Reloaded, readonly ConfigFault[]>>;
  /** All metrics of this process; empty where the configuration has no `metrics.prometheus`. */
  collect: Telemetry['collect'];
  /** Ends open work and closes the store and the audit sinks. */
  close(): Promise<void>;
}

/** Names of backends. */
export interface Reloaded {
  /** New, or opened anew since something about them has changed. */
  readonly opened: readonly string[];
  readonly removed: readonly string[];
}

/** What a reload replaces. */
interface Generation {
  readonly config: Config;
  /** In the order of `config.backends`, as are their policies. */
  readonly backends: readonly Backend[];
  readonly policies: readonly Policy[];
  readonly limits: { readonly limiter: RateLimiter; readonly checkClientLimit: CheckClientLimit };
  readonly listener: RequestListener;
  readonly mcpPaths: ReadonlySet<string>;
}

/**
 * Opens the gateway. It does not listen: give `listener` to a server (`http/server.ts`).
 *
 * @throws StartFault when the keys cannot be used, with the remedy.
 * @throws StoreUnavailable when the store does not open.
 */
export async function createGateway(
  config: Config,
  world: World,
  options: GatewayOptions = {},
): Promise<Gateway> {
  const telemetry = options.telemetry ?? (await openTelemetry(config, world));
  const services = await openServices(config, world, { ...options, telemetry });
  const retiring = new Set<Backend>();
  let current: Generation;
  try {
    current = openGeneration(config, services);
  } catch (fault) {
    await services.close();
    throw fault;
  }

  function replace(next: Generation): void {
    const dropped = current.backends.filter((backend) => !next.backends.includes(backend));
    current = next;
    next.backends.forEach((backend, index) => {
      const [described, policy] = [next.config.backends[index], next.policies[index]];
      if (described !== undefined && policy !== undefined) backend.adopt(described, policy);
    });
    cutUnwelcome(services.streams, next.backends);
    for (const backend of dropped) {
      const successor = next.backends.find((each) => each.config.resource === backend.config.resource);
      if (successor !== undefined) backend.judgeBy(successor.policy);
      retiring.add(backend);
      void backend.retire().finally(() => retiring.delete(backend));
    }
  }

  services.telemetry.report({ backends: () => current.backends.map((backend) => backend.state()) });

  return {
    listener: (req, res) => current.listener(req, res),
    isMcpPath: (path) => current.mcpPaths.has(path),
    async reload(changed) {
      const faults = checkReload(current.config, changed);
      if (faults.length > 0) return err(faults);
      const next = openGeneration(changed, services, current);
      const opened = namesOf(next.backends.filter((backend) => !current.backends.includes(backend)));
      const removed = namesOf(current.backends).filter((name) => !namesOf(next.backends).includes(name));
      replace(next);
      const correlationId = randomId(world.random, 16);
      services.audit.record({ event: 'config.reload', outcome: 'success', correlationId });
      return ok({ opened, removed });
    },
    collect: () => services.telemetry.collect(),
    async close() {
      await Promise.all([...current.backends, ...retiring].map((backend) => backend.close()));
      await services.close();
    },
  };
}

function namesOf(backends: readonly Backend[]): string[] {
  return backends.map(({ config: { name } }) => name);
}

/** @param previous whose backends and counts go on where nothing about them has changed. */
function openGeneration(config: Config, services: Services, previous?: Generation): Generation {
  const { store, world } = services;
  const hasSameLimits = previous !== undefined && isSameConfig(previous.config.limits, config.limits);
  const limits = hasSameLimits
    ? previous.limits
    : {
        limiter: createRateLimiter(config.limits, world.clock),
        checkClientLimit: createClientLimit(config.limits, world.clock),
      };
  const keep = (backend: AnyBackendConfig) =>
    hasSameLimits ? previous.backends.find((each) => isSameWay(each.config, backend)) : undefined;
  const backends = config.backends.map((backend) => keep(backend) ?? openBackend(backend, config, services));
  const policies = config.backends.map(({ rules }, index) => {
    const known = backends[index]?.policy;
    return known !== undefined && isSameConfig(known.rules, rules) ? known : createPolicy(rules);
  });
  const authority = createAuthority({
    config,
    resources: config.backends,
    policies: new Map(backends.map(({ config: { name } }, index) => [name, policies[index] as Policy])),
    services,
    checkClientLimit: limits.checkClientLimit,
  });
  const isAuditFull = createAuditGate(config.audit, services.audit);
  const findObstacle = async () => {
    if (isAuditFull()) return 'audit queue full';
    return store.ping().then(
      () => undefined,
      () => 'store unavailable',
    );
  };
  const listener = createRouter(createRoutes({ authority, config, backends, findObstacle }), {
    publicUrl: config.publicUrl,
    clientIp: createClientIp(config.trustedProxies),
    limiter: limits.limiter,
    hostAliases: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
    log: world.log,
    random: world.random,
    observer: services.telemetry.requests,
    isAuditFull,
  });
  const mcpPaths = new Set(config.backends.map(({ path }) => path));
  return { config, backends, policies, limits, listener, mcpPaths };
}

/** What opens an event stream; see `askedWithoutBody`. */
const opening: Operation = { method: 'http GET', kind: 'notification' };

/** A stream lasts for hours: the rules that are in effect now hold for it too. */
function cutUnwelcome(streams: OpenStreams, backends: readonly Backend[]): void {
  const policies = new Map(backends.map(({ config: { resource }, policy }) => [resource, policy]));
  streams.cutWhere(({ resource, principal, lasting }) => {
    const policy = policies.get(resource);
    if (policy === undefined) return 'not_served';
    const operations = [opening, ...(lasting ?? [])];
    const isAllowed = operations.every((operation) => policy.decide(principal, operation).allow);
    return isAllowed ? undefined : 'rights_changed';
  });
}
