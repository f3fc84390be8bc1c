/**
 * The composition root. What lasts is opened in `services.ts`, the authorization server with the way of a person in
 * `authority.ts`, each backend in `backends.ts`; the addresses stand in `routes.ts`, the way of an MCP request in
 * `mcp-endpoint.ts`.
 */
import type { RequestListener } from 'node:http';
import { createAuthority } from './authority.ts';
import { type Backend, openBackend } from './backends.ts';
import type { Config } from './config/config.ts';
import { createClientIp } from './http/client-ip.ts';
import { createRouter } from './http/dispatch.ts';
import type { FetchFromStranger } from './oauth/guarded-fetch.ts';
import { createRoutes } from './routes.ts';
import { openServices, type Services, type ServicesOptions, StartFault } from './services.ts';
import type { World } from './world.ts';

export { StartFault };

export interface Gateway {
  /** For `node:http`: the whole gateway. */
  readonly listener: RequestListener;
  /** Ends open work and closes the store and the audit sinks. */
  close(): Promise<void>;
}

export interface GatewayOptions extends ServicesOptions {
  /** How documents that clients name are fetched; default: the guarded fetch of `oauth/guarded-fetch.ts`. */
  readonly fetchFromStranger?: FetchFromStranger;
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
  const services = await openServices(config, world, options);
  const backends = config.backends.map((backend) => openBackend(backend, config, services));
  const close = async () => {
    await Promise.all(backends.map((backend) => backend.close()));
    await services.close();
  };
  try {
    return { listener: await createListener(config, backends, services, options), close };
  } catch (fault) {
    await close();
    throw fault;
  }
}

async function createListener(
  config: Config,
  backends: readonly Backend[],
  services: Services,
  options: GatewayOptions,
): Promise<RequestListener> {
  const { store, limiter, world } = services;
  const authority = await createAuthority({
    config,
    resources: config.backends,
    policies: new Map(backends.map(({ config: { name }, policy }) => [name, policy])),
    services,
    ...options,
  });
  const isReady = async () =>
    store.ping().then(
      () => true,
      () => false,
    );
  return createRouter(createRoutes({ authority, config, backends, isReady }), {
    publicUrl: config.publicUrl,
    clientIp: createClientIp(config.trustedProxies),
    limiter,
    hostAliases: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
    log: world.log,
    random: world.random,
  });
}
