/** For tests: MCP endpoints as the gateway mounts them, behind the real router, before real backends. */
import { randomBytes } from 'node:crypto';
import { createPolicy } from '@valetkey/core/policy/decide';
import { pino } from 'pino';
import type { AuditEvent } from './audit/event.ts';
import type { BackendConfig } from './config/config.ts';
import { issuer, issueToken, openTestRing } from './enforce/issued-token.suite.ts';
import { createToolAnnotations } from './enforce/tool-annotations.ts';
import { createTokenVerifier } from './enforce/verify-token.ts';
import { createRouter } from './http/dispatch.ts';
import { createRateLimiter } from './http/rate-limit.ts';
import { createMcpEndpoint } from './mcp-endpoint.ts';
import { createBackendProxy } from './proxy/forward.ts';
import { credentialOf, type Listening, silentLog, startServer } from './proxy/front-and-back.suite.ts';
import { createIdentitySigner } from './proxy/identity.ts';
import { openSealedStore } from './session/sealed-store.suite.ts';

export interface GatewayStandIn extends Listening {
  readonly audited: AuditEvent[];
  /** What the endpoints logged as a warning. */
  readonly warned: string[];
  readonly revoked: Set<string>;
  readonly jwks: { keys: unknown[] };
  /** A token of an hour for the backend's resource. */
  issue(resource: string, changes?: Record<string, unknown>): Promise<string>;
}

const ring = openTestRing();

/** The key set that verifies identities, before any gateway runs. */
export const signer = createIdentitySigner({
  issuer,
  signingJwk: ring.signingJwk,
  clock: { nowMs: () => Date.now() },
});

export async function startGateway(backends: readonly BackendConfig[]): Promise<GatewayStandIn> {
  const clock = { nowMs: () => Date.now() };
  const store = openSealedStore(clock);
  const audited: AuditEvent[] = [];
  const warned: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warned.push(line) });
  const revoked = new Set<string>();
  const verifier = createTokenVerifier({ issuer, keyRing: ring, clock, isRevoked: (id) => revoked.has(id) });
  const mounted = backends.map((backend) => ({
    backend,
    proxy: createBackendProxy({
      backend,
      identity: signer,
      credential: credentialOf(backend, signer),
      store,
      clock,
      log: silentLog,
    }),
  }));
  const perMinute = { requests: 1000, windowSeconds: 60 };
  const router = createRouter(
    mounted.map(({ backend, proxy }) => ({
      methods: ['*'],
      path: backend.path,
      cors: 'mcp' as const,
      maxBodyBytes: 10_000,
      handler: createMcpEndpoint({
        backend,
        verifier,
        policy: createPolicy(backend.rules),
        annotations: createToolAnnotations({ backend: backend.name, store, clock, log }),
        proxy,
        audit: { record: (event) => void audited.push(event), close: async () => {} },
        limits: { mcpBodyBytes: 10_000, requestTimeoutMs: 5_000 },
        clock,
        log,
      }),
    })),
    {
      publicUrl: issuer,
      clientIp: () => '192.0.2.1',
      limiter: createRateLimiter(
        { register: perMinute, authorize: perMinute, consent: perMinute, token: perMinute },
        clock,
      ),
      allowedOrigins: 'any',
      log: silentLog,
      random: randomBytes,
    },
  );
  const front = await startServer(router);
  return {
    url: front.url,
    audited,
    warned,
    revoked,
    jwks: { keys: [signer.publicJwk] },
    issue(resource, changes) {
      const now = Math.floor(Date.now() / 1000);
      return issueToken(
        ring,
        { aud: resource, iat: now, exp: now + 3600, ...changes },
        { header: { aud: resource } },
      );
    },
    async close() {
      await front.close();
      await Promise.all(mounted.map(({ proxy }) => proxy.close()));
      await store.close();
    },
  };
}
