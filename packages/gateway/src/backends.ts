/** The backends: each one's policy, its way there, and the MCP endpoint in front of both. */
import { createPolicy, type Policy } from '@valetkey/core/policy/decide';
import type { BackendConfig, Config } from './config/config.ts';
import type { Handler } from './http/exchange.ts';
import { createMcpEndpoint } from './mcp-endpoint.ts';
import { createBackendProxy } from './proxy/forward.ts';
import { createIdentitySigner } from './proxy/identity.ts';
import type { Services } from './services.ts';

export interface Backend {
  readonly config: BackendConfig;
  readonly policy: Policy;
  /** The handler of its MCP endpoint. */
  readonly endpoint: Handler;
  /** Ends all connections to it, also those in use. */
  close(): Promise<void>;
}

/** Opens one backend. Nothing is asked of it before the first request. */
export function openBackend(backend: BackendConfig, config: Config, services: Services): Backend {
  const { world, keyRing, store, verifier, audit, streams, isBlind, recheck } = services;
  const { clock, log } = world;
  const policy = createPolicy(backend.rules);
  const identity = createIdentitySigner({
    issuer: config.publicUrl,
    signingJwk: () => keyRing.signingJwk,
    clock,
  });
  const proxy = createBackendProxy({ backend, identity, store, clock, log });
  return {
    config: backend,
    policy,
    endpoint: createMcpEndpoint({
      backend,
      verifier,
      policy,
      proxy,
      audit,
      limits: config.limits,
      clock,
      log,
      streams,
      isBlind,
      recheck,
    }),
    close: () => proxy.close(),
  };
}
