/**
 * What stands behind all doors of the server: who is recognized by a token, and where the records go. The gateway's own
 * rooms, opened in this process.
 */
import { type Audit } from '@valetkey/gateway/audit/event';
import { createAuditGate, openAudit } from '@valetkey/gateway/audit/audit';
import { type Authority, createAuthority } from '@valetkey/gateway/authority';
import type { OwnServerConfig } from '@valetkey/gateway/config/own-server';
import { createPolicy, type Policy } from '@valetkey/core/policy/decide';
import type { TokenVerifier, VerifiedToken } from '@valetkey/gateway/enforce/verify-token';
import { createClientIp } from '@valetkey/gateway/http/client-ip';
import { createClientLimit } from '@valetkey/gateway/http/client-limit';
import type { RouterOptions } from '@valetkey/gateway/http/dispatch';
import type { Route } from '@valetkey/gateway/http/exchange';
import { createRateLimiter } from '@valetkey/gateway/http/rate-limit';
import { createAuthorityRoutes, createResourceRoutes } from '@valetkey/gateway/routes';
import { openServices, type Services } from '@valetkey/gateway/services';
import type { World } from '@valetkey/gateway/world';
import { describeResource } from './describe-resource.ts';
import { type EntraDirect, openEntraDirect } from './entra-direct.ts';
import { createSessionOwners, type SessionOwners } from './session-owners.ts';

export interface Front {
  readonly config: OwnServerConfig;
  readonly world: World;
  readonly audit: Audit;
  readonly policy: Policy;
  readonly verifier: TokenVerifier;
  /** Authorization server and metadata. */
  readonly routes: readonly Route[];
  readonly router: RouterOptions;
  readonly sessionOwners: SessionOwners;
  /** Present: tokens of our own are issued, and sessions stand behind them. */
  readonly services?: Services;
  /** Present: Entra's own tokens are taken. */
  readonly direct?: EntraDirect;
  readonly isBlind: () => boolean;
  /** Whether the person is still who they were, where that has not been asked for a while. */
  readonly recheck: (token: VerifiedToken) => Promise<boolean> | undefined;
  close(): Promise<void>;
}

/**
 * @throws StartFault when the keys cannot be used, with the remedy.
 * @throws StoreUnavailable when the store does not open.
 */
export async function openFront(config: OwnServerConfig, world: World): Promise<Front> {
  const direct = config.direct === undefined ? undefined : openEntraDirect(config.direct, world);
  const services = config.server === undefined ? undefined : await openServices(config.server, world);
  const audit = services?.audit ?? openAudit(config.audit, world);
  const policy = createPolicy(config.resource.rules);
  const router = routerOptions(config, world, createAuditGate(config.audit, audit));
  return {
    config,
    world,
    audit,
    policy,
    verifier: eitherVerifier(services?.verifier, direct?.verifier),
    routes: createFrontRoutes(config, policy, services),
    router,
    sessionOwners: createSessionOwners(),
    ...(services === undefined ? {} : { services }),
    ...(direct === undefined ? {} : { direct }),
    isBlind: services?.isBlind ?? (() => false),
    recheck: (token) => (direct?.isOwn(token) ? undefined : services?.recheck(token)),
    async close() {
      await direct?.close();
      await (services ?? audit).close();
    },
  };
}

/** Our tokens are encrypted and have five parts, Entra's are signed and have three (RFC 7516 §3.1, RFC 7515 §3.1). */
function eitherVerifier(own: TokenVerifier | undefined, entra: TokenVerifier | undefined): TokenVerifier {
  return {
    async verify(token, resource) {
      const verifier = token.split('.').length === 3 ? (entra ?? own) : (own ?? entra);
      return verifier === undefined ? { ok: false, error: 'malformed' } : verifier.verify(token, resource);
    },
  };
}

function createFrontRoutes(
  config: OwnServerConfig,
  policy: Policy,
  services: Services | undefined,
): readonly Route[] {
  const resources = [config.resource, ...(config.legacySse === undefined ? [] : [config.legacySse.resource])];
  const describe = describeResource(config);
  if (services === undefined || config.server === undefined) return createResourceRoutes(resources, describe);
  const authority: Authority = createAuthority({
    config: config.server,
    resources,
    policies: new Map(resources.map(({ name }) => [name, policy])),
    services,
    checkClientLimit: createClientLimit(config.limits, services.world.clock),
  });
  return createAuthorityRoutes(authority, describe);
}

function routerOptions(config: OwnServerConfig, world: World, isAuditFull: () => boolean): RouterOptions {
  return {
    publicUrl: config.publicUrl,
    clientIp: createClientIp(config.trustedProxies),
    limiter: createRateLimiter(config.limits, world.clock),
    hostAliases: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
    log: world.log,
    random: world.random,
    isAuditFull,
  };
}
