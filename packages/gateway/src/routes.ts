/** Every address of the gateway, in one table. What is not here is answered with 404 by room `http`. */
import type { Config } from './config/config.ts';
import type { Handler, Route } from './http/exchange.ts';
import { createIconRoute } from './http/pages/icon.ts';
import { sendJson } from './http/respond.ts';
import type { AuthorizationServer } from './oauth/authorization-server.ts';
import { protectedResourceMetadata } from './oauth/metadata.ts';
import { finishSignIn } from './sign-in/callback-step.ts';
import { decideConsent, showConsent } from './sign-in/consent-step.ts';
import { callbackPath, type SignInFlow } from './sign-in/sign-in-flow.ts';

export interface RouteHandlers {
  readonly config: Config;
  readonly authorizationServer: AuthorizationServer;
  readonly flow: SignInFlow;
  /** The MCP endpoint of each backend, by the backend's name. */
  readonly endpoints: ReadonlyMap<string, Handler>;
  readonly isReady: () => Promise<boolean>;
}

const GET = ['GET'];
const POST = ['POST'];
const prm = '/.well-known/oauth-protected-resource';

export function createRoutes({
  config,
  authorizationServer: as,
  flow,
  endpoints,
  isReady,
}: RouteHandlers): Route[] {
  const metadata = { methods: GET, cors: 'oauth', maxBodyBytes: 0 } as const;
  const page = { methods: GET, cors: 'none', maxBodyBytes: 0 } as const;
  const form = { methods: POST, cors: 'oauth', maxBodyBytes: 32 * 1024 } as const;
  return [
    { ...metadata, path: '/.well-known/oauth-authorization-server', handler: as.serve },
    { ...metadata, path: '/.well-known/openid-configuration', handler: as.serve },
    { ...metadata, path: '/jwks', handler: as.serve },
    ...protectedResources(config).map(([path, body]) => ({
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

    ...config.backends.map(
      (backend): Route => ({
        methods: ['*'],
        path: backend.path,
        cors: 'mcp',
        maxBodyBytes: config.limits.mcpBodyBytes,
        handler: endpoints.get(backend.name) ?? unserved(backend.name),
      }),
    ),

    createIconRoute(),
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

/**
 * Metadata of each backend at its path form (RFC 9728 §3.1), which clients try first; and at the root form where
 * there is one backend only, since `resource` there must be the one that the client meant.
 */
function protectedResources(config: Config): [path: string, body: Record<string, unknown>][] {
  const byPath = config.backends.map((backend): [string, Record<string, unknown>] => [
    `${prm}${backend.path}`,
    protectedResourceMetadata(config, backend),
  ]);
  const [only, ...others] = byPath;
  return only === undefined || others.length > 0 ? byPath : [...byPath, [prm, only[1]]];
}

function unserved(name: string): never {
  throw new Error(`backend ${name} has no endpoint`);
}
