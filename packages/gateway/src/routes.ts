/** Every address of the gateway, in one table. What is not here is answered with 404 by room `http`. */
import type { Authority } from './authority.ts';
import type { Backend } from './backends.ts';
import type { Config } from './config/config.ts';
import type { Handler, Route } from './http/exchange.ts';
import { createIconRoute } from './http/pages/icon.ts';
import { sendJson } from './http/respond.ts';
import { protectedResourceMetadata } from './oauth/metadata.ts';
import { finishSignIn } from './sign-in/callback-step.ts';
import { decideConsent, showConsent } from './sign-in/consent-step.ts';
import { callbackPath } from './sign-in/sign-in-flow.ts';

export interface RouteHandlers {
  readonly config: Pick<Config, 'limits'>;
  readonly authority: Authority;
  readonly backends: readonly Pick<Backend, 'config' | 'endpoint'>[];
  readonly isReady: () => Promise<boolean>;
}

const GET = ['GET'];
const POST = ['POST'];
const prm = '/.well-known/oauth-protected-resource';
const page = { methods: GET, cors: 'none', maxBodyBytes: 0 } as const;

export function createRoutes({ config, authority, backends, isReady }: RouteHandlers): Route[] {
  return [
    ...createAuthorityRoutes(authority),

    ...backends.map(
      (backend): Route => ({
        methods: ['*'],
        path: backend.config.path,
        cors: 'mcp',
        maxBodyBytes: config.limits.mcpBodyBytes,
        handler: backend.endpoint,
      }),
    ),

    { ...page, path: '/healthz', handler: (exchange) => sendJson(exchange, 200, { status: 'ok' }) },
    {
      ...page,
      path: '/readyz',
      async handler(exchange) {
        const ready = await isReady();
        sendJson(exchange, ready ? 200 : 503, { status: ready ? 'ready' : 'store unavailable' });
      },
    },
  ];
}

/** The addresses of the authorization server alone: also those of a server that guards itself. */
export function createAuthorityRoutes(authority: Authority): Route[] {
  const { authorizationServer: as, flow } = authority;
  const metadata = { methods: GET, cors: 'oauth', maxBodyBytes: 0 } as const;
  const form = { methods: POST, cors: 'oauth', maxBodyBytes: 32 * 1024 } as const;
  return [
    { ...metadata, path: '/.well-known/oauth-authorization-server', handler: as.serve },
    { ...metadata, path: '/.well-known/openid-configuration', handler: as.serve },
    { ...metadata, path: '/jwks', handler: as.serve },
    ...protectedResources(authority).map(([path, body]) => ({
      ...metadata,
      path,
      handler: ((exchange) => sendJson(exchange, 200, body)) satisfies Handler,
    })),

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

/**
 * Metadata of each resource at its path form (RFC 9728 §3.1), which clients try first; and at the root form where
 * there is one resource only, since `resource` there must be the one that the client meant.
 */
function protectedResources({
  config,
  resources,
}: Authority): (readonly [path: string, body: Record<string, unknown>])[] {
  const byPath = resources.map(
    (resource) => [`${prm}${resource.path}`, protectedResourceMetadata(config, resource)] as const,
  );
  const [only, ...others] = byPath;
  return only === undefined || others.length > 0 ? byPath : [...byPath, [prm, only[1]]];
}
