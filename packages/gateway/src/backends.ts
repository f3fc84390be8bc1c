/** The backends: each one's policy, its way there, and the MCP endpoint in front of both. */
import { createPolicy, type Policy } from '@valetkey/core/policy/decide';
import type { AnyBackendConfig, BackendConfig, Config } from './config/config.ts';
import { isSameConfig } from './config/reload.ts';
import { createToolAnnotations, serverOf } from './enforce/tool-annotations.ts';
import type { Exchange, Handler } from './http/exchange.ts';
import { createFaultDescription } from './mcp/refuse.ts';
import { createMcpEndpoint, type McpEndpointOptions } from './mcp-endpoint.ts';
import type { BackendProxy } from './proxy/backend-proxy.ts';
import { openCredential } from './proxy/credentials/open-credential.ts';
import { createBackendProxy } from './proxy/forward.ts';
import { createIdentitySigner } from './proxy/identity.ts';
import { createLegacyFront } from './proxy/legacy-sse/legacy-front.ts';
import { createSseBackend } from './proxy/legacy-sse/sse-backend.ts';
import type { Probe } from './proxy/resilience/health-check.ts';
import { createHttpProbe } from './proxy/resilience/http-probe.ts';
import { createResilientProxy, type ResilientProxy } from './proxy/resilience/resilient-proxy.ts';
import { createStdioBackend } from './proxy/stdio/stdio-backend.ts';
import type { Services } from './services.ts';
import type { BackendState } from './telemetry/telemetry.ts';

export interface Backend {
  /** These two are others after `adopt`. */
  readonly config: AnyBackendConfig;
  readonly policy: Policy;
  /** The handler of its MCP endpoint. */
  readonly endpoint: Handler;
  /** Its addresses for clients of revision 2024-11-05, where they are others. */
  readonly olderEndpoints?: readonly { readonly path: string; readonly endpoint: Handler }[];
  /** Requests that are here and not judged yet are judged by these rules: a reload has replaced its own. */
  judgeBy(policy: Policy): void;
  /**
   * Other rules and another title, from the next decision on. Processes, sessions and connections go on.
   *
   * @param config to which `isSameWay` as its own.
   */
  adopt(config: AnyBackendConfig, policy: Policy): void;
  /** Whether it answers, for metrics. */
  state(): BackendState;
  /** Lets the requests under way end, then closes. Nothing new may come any more. */
  retire(): Promise<void>;
  /** Ends all connections to it, also those in use. */
  close(): Promise<void>;
}

/** Opens one backend. Nothing is asked of it before the first request. */
export function openBackend(backend: AnyBackendConfig, config: Config, services: Services): Backend {
  const { world, store, verifier, audit, streams, isBlind, recheck, telemetry } = services;
  const policy = createPolicy(backend.rules);
  const now = { config: backend, policy, rules: policy, watch: telemetry.watchCall?.(backend) };
  const proxy = openProxy(backend, config, services);
  const endpoints = createEndpoints(backend, proxy, services, {
    backend,
    verifier,
    policy,
    rulesNow: () => now.rules,
    annotations: createToolAnnotations({
      backend: backend.name,
      server: serverOf(backend),
      store,
      ...world,
    }),
    audit,
    limits: config.limits,
    clock: world.clock,
    log: world.log,
    streams,
    isBlind,
    recheck,
    watch: (exchange) => now.watch?.(exchange),
  });
  const underWay = countUnderWay();
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= proxy.close());
  return {
    get config() {
      return now.config;
    },
    get policy() {
      return now.policy;
    },
    endpoint: underWay.count(endpoints.main),
    olderEndpoints: endpoints.older.map(({ path, endpoint }) => ({
      path,
      endpoint: underWay.count(endpoint),
    })),
    judgeBy(successor) {
      now.rules = successor;
    },
    adopt(next, successor) {
      if (isSameConfig(next, now.config)) return;
      const watch = telemetry.watchCall?.(next);
      Object.assign(now, { config: next, policy: successor, rules: successor, watch });
    },
    state: () => proxy.state(),
    async retire() {
      proxy.retire();
      await underWay.none();
      await close();
    },
    close,
  };
}

/** Whether two configurations of a backend differ only in what `adopt` can change while its connections last. */
export function isSameWay(one: AnyBackendConfig, other: AnyBackendConfig): boolean {
  return isSameConfig(withoutRules(one), withoutRules(other));
}

/** The names of scopes stay: challenges tell them. What people read of them may be made of the title. */
function withoutRules({ rules, title: _title, scopes, ...way }: AnyBackendConfig): unknown {
  const named = scopes.map(({ description: _description, ...scope }) => scope);
  return { ...way, scopes: named, enterScopes: rules.enter.scopes };
}

/** Each address goes the whole way: token, policy and audit are no other at an older one. */
function createEndpoints(
  backend: AnyBackendConfig,
  proxy: BackendProxy,
  services: Services,
  common: Omit<McpEndpointOptions, 'proxy'>,
): { readonly main: Handler; readonly older: NonNullable<Backend['olderEndpoints']> } {
  const main = createMcpEndpoint({ ...common, proxy });
  const addresses = backend.legacySse;
  if (addresses === undefined) return { main, older: [] };
  const front = createLegacyFront({ addresses, proxy, ...openParts(backend, services) });
  const sse = createMcpEndpoint({ ...common, proxy: front.sse, methods: ['GET'] });
  const message = {
    path: addresses.message,
    endpoint: createMcpEndpoint({ ...common, proxy: front.message, methods: ['POST'] }),
  };
  if (addresses.sse !== backend.path)
    return { main, older: [{ path: addresses.sse, endpoint: sse }, message] };
  return {
    main: (exchange) => (opensOlderStream(exchange) ? sse(exchange) : main(exchange)),
    older: [message],
  };
}

/** Both revisions open a stream with GET; the newer one names its session, or the event to go on after. */
function opensOlderStream({ method, req }: Exchange): boolean {
  const { 'mcp-session-id': session, 'last-event-id': lastEvent } = req.headers;
  return method === 'GET' && session === undefined && lastEvent === undefined;
}

function openProxy(backend: AnyBackendConfig, config: Config, services: Services): ResilientProxy {
  const { world, timer } = services;
  const way =
    backend.process === undefined
      ? openServer(backend, config, services)
      : { proxy: createStdioBackend({ backend, ...openParts(backend, services) }) };
  return createResilientProxy({ backend, ...way, timer, clock: world.clock, log: world.log });
}

function openServer(
  backend: BackendConfig,
  config: Config,
  services: Services,
): { readonly proxy: BackendProxy; readonly probe: Probe } {
  const { world, keyRing, entra, signIns } = services;
  const { clock, log } = world;
  const identity = createIdentitySigner({
    issuer: config.publicUrl,
    signingJwk: () => keyRing.signingJwk,
    clock,
  });
  const credential = openCredential(backend, {
    tokens: entra,
    identity,
    demandSignIn: signIns.stepUp,
    clock,
    log,
    caFile: config.entra.caFile,
  });
  const parts = { backend, identity, credential, ...openParts(backend, services) };
  const proxy = backend.transport === 'sse' ? createSseBackend(parts) : createBackendProxy(parts);
  return { proxy, probe: createHttpProbe({ backend, credential }) };
}

/** What every way to a backend is made with. */
function openParts(backend: AnyBackendConfig, services: Services) {
  const { world, store, keepAlive, timer, sessions } = services;
  const describeFault = createFaultDescription(backend);
  return { ...world, store, keepAlive, timer, isRevoked: sessions.isRevoked, describeFault };
}

/** A request is under way until its last byte is out: the handler's promise lasts as long. */
function countUnderWay() {
  const waiting: (() => void)[] = [];
  let count = 0;
  const countAt =
    (endpoint: Handler): Handler =>
    async (exchange) => {
      count += 1;
      try {
        await endpoint(exchange);
      } finally {
        count -= 1;
        if (count === 0) for (const resume of waiting.splice(0)) resume();
      }
    };
  const none = async () => {
    if (count > 0) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return { count: countAt, none };
}
