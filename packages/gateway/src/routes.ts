/** Every address of the gateway, in one table. What is not here is answered with 404 by room `http`. */
import type { Authority } from './authority.ts';
import type { Backend } from './backends.ts';
import type { AnyBackendConfig, Config, ProtectedResource } from './config/config.ts';
import type { Route } from './http/exchange.ts';
import { createIconRoute } from './http/pages/icon.ts';
import { sendJson } from './http/respond.ts';
import { protectedResourceMetadata } from './oauth/metadata.ts';
import { finishSignIn } from './sign-in/callback-step.ts';
import { decideConsent, showConsent } from './sign-in/consent-step.ts';
import { callbackPath } from './sign-in/sign-in-flow.ts';

export interface RouteHandlers {
  readonly config: Pick<Config, 'limits'>;
  readonly authority: Authority;
  readonly backends: readonly Pick<Backend, 'config' | 'endpoint' | 'olderEndpoints'>[];
  /** What keeps the gateway from working right now; undefined: nothing. */
  readonly findObstacle: () => Promise<string | undefined>;
}

const GET = ['GET'];
const POST = ['POST'];
const prm = '/.well-known/oauth-protected-resource';
const page = { methods: GET, cors: 'none', maxBodyBytes: 0 } as const;
const metadata = { methods: GET, cors: 'oauth', maxBodyBytes: 0, isUnrecorded: true } as const;
const health = { ...page, isUnrecorded: true } as const;

export function createRoutes({ config, authority, backends, findObstacle }: RouteHandlers): Route[] {
  return [
    ...createAuthorityRoutes(authority),
    ...backends.flatMap(({ config: backend }) => createOlderResourceRoutes(authority, backend)),

    ...backends.flatMap(({ config: { path }, endpoint, olderEndpoints = [] }) =>
      [{ path, endpoint }, ...olderEndpoints].map(
        (each): Route => ({
          methods: ['*'],
          path: each.path,
          cors: 'mcp',
          maxBodyBytes: config.limits.mcpBodyBytes,
          handler: each.endpoint,
        }),
      ),
    ),

    { ...health, path: '/healthz', handler: (exchange) => sendJson(exchange, 200, { status: 'ok' }) },
    {
      ...health,
      path: '/readyz',
      async handler(exchange) {
        const obstacle = await findObstacle();
        sendJson(exchange, obstacle === undefined ? 200 : 503, { status: obstacle ?? 'ready' });
      },
    },
  ];
}

/** A client that knows only the older address asks for the metadata there (RFC 9728 §3.1). It is the same resource. */
function createOlderResourceRoutes({ config }: Authority, backend: AnyBackendConfig): Route[] {
  const sse = backend.legacySse?.sse;
  if (sse === undefined || sse === backend.path) return [];
  const body = protectedResourceMetadata(config, backend);
  return [{ ...metadata, path: `${prm}${sse}`, handler: (exchange) => sendJson(exchange, 200, body) }];
}

/**
 * The addresses of the authorization server alone: also those of a server that guards itself.
 *
 * @param describe the metadata of a protected resource, where there is more to say than that we issue its tokens.
 */
export function createAuthorityRoutes(
  authority: Authority,
  describe: DescribeResource = (resource) => protectedResourceMetadata(authority.config, resource),
): Route[] {
  const { authorizationServer: as, flow } = authority;
  const form = { methods: POST, cors: 'oauth', maxBodyBytes: 32 * 1024 } as const;
  return [
    { ...metadata, path: '/.well-known/oauth-authorization-server', handler: as.serve },
    { ...metadata, path: '/.well-known/openid-configuration', handler: as.serve },
    { ...metadata, path: '/jwks', handler: as.serve },
    ...createResourceRoutes(authority.resources, describe),

    { ...form, path: '/register', limit: 'register', handler: as.register },
    { ...form, path: '/token', limit: 'token', handler: as.submit },
    { ...form, path: '/revoke', limit: 'token', handler: as.submit },

    { ...page, path: '/authorize', limit: 'authorize', handler: as.serve },
    { ...page, path: '/authorize/*', limit: 'authorize', handler: as.serve },
    { ...page, path: '/consent/*', limit: 'consent', handler: (exchange) => showConsent(flow, exchange) },
    {
      ...page,
      path: '/consent/*',
      methods: POST,
      maxBodyBytes: 8 * 1024,
      limit: 'consent',
      handler: (exchange) => decideConsent(flow, exchange),
    },
    { ...page, path: callbackPath, limit: 'authorize', handler: (exchange) => finishSignIn(flow, exchange) },
    createIconRoute(),
  ];
}

export type DescribeResource = (resource: ProtectedResource) => Record<string, unknown>;

/**
 * Metadata of each resource at its path form (RFC 9728 §3.1), which clients try first; and at the root form where
 * there is one resource only, since `resource` there must be the one that the client meant.
 */
export function createResourceRoutes(
  resources: readonly ProtectedResource[],
  describe: DescribeResource,
): Route[] {
  const row = (path: string, resource: ProtectedResource): Route => ({
    ...metadata,
    path,
    handler: (exchange) => sendJson(exchange, 200, describe(resource)),
  });
  const byPath = resources.map((resource) => row(`${prm}${resource.path}`, resource));
  const [only, ...others] = resources;
  return only === undefined || others.length > 0 ? byPath : [...byPath, row(prm, only)];
}
