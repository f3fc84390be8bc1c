/** Every path of the emulator, one row each, and the answer to everything that goes wrong behind it. */
import { handleAdminConsent } from './admin-consent.ts';
import { handleAuthorize } from './authorize.ts';
import { handleDeviceCode, handleDevicePage } from './device-code.ts';
import { handleInstance, handleKeys, handleMetadata } from './discovery.ts';
import { AadstsError, errorBody } from './errors.ts';
import { applyFault, type Endpoint, takeDoorFault } from './faults.ts';
import { handleGraph, handleUserInfo, renderGraphProblem } from './graph/graph.ts';
import { handleKeyVault, KEY_VAULT_PATH, renderKeyVaultProblem } from './key-vault/key-vault.ts';
import { handleLogin } from './login.ts';
import { handleLogout } from './logout.ts';
import {
  handleAppService,
  handleImds,
  renderManagedIdentityProblem,
} from './managed-identity/managed-identity.ts';
import {
  CLUSTER_KEYS_PATH,
  CLUSTER_METADATA_PATH,
  handleClusterKeys,
  handleClusterMetadata,
} from './managed-identity/workload-identity.ts';
import { renderErrorPage } from './pages.ts';
import type { Realm } from './realm.ts';
import { type EmulatorRequest, jsonReply, type Reply } from './request.ts';
import { handleToken } from './token-endpoint/token-endpoint.ts';

interface Route {
  readonly endpoint: Endpoint;
  readonly methods: readonly string[];
  readonly path: RegExp;
  readonly handle: (realm: Realm, request: EmulatorRequest, segment: string) => Reply | Promise<Reply>;
}

const GET = ['GET', 'HEAD'];
const PAGE = ['GET', 'POST'];
const ANY = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];

const routes: readonly Route[] = [
  { endpoint: 'instance', methods: GET, path: /^\/[^/]+\/discovery\/instance$/, handle: handleInstance },
  {
    endpoint: 'discovery',
    methods: GET,
    path: /^\/([^/]+)\/v2\.0\/\.well-known\/openid-configuration$/,
    handle: (realm, request, segment) => handleMetadata(realm, request, segment, 2),
  },
  {
    endpoint: 'discovery',
    methods: GET,
    path: /^\/([^/]+)\/\.well-known\/openid-configuration$/,
    handle: (realm, request, segment) => handleMetadata(realm, request, segment, 1),
  },
  {
    endpoint: 'keys',
    methods: GET,
    path: /^\/([^/]+)\/discovery\/(?:v2\.0\/)?keys$/,
    handle: (realm, _, segment) => handleKeys(realm, segment),
  },
  {
    endpoint: 'authorize',
    methods: PAGE,
    path: /^\/([^/]+)\/oauth2\/v2\.0\/authorize$/,
    handle: (realm, request, segment) => handleAuthorize(realm, request, segment, 2),
  },
  {
    endpoint: 'authorize',
    methods: PAGE,
    path: /^\/([^/]+)\/oauth2\/authorize$/,
    handle: (realm, request, segment) => handleAuthorize(realm, request, segment, 1),
  },
  { endpoint: 'login', methods: ['POST'], path: /^\/([^/]+)\/login$/, handle: handleLogin },
  {
    endpoint: 'token',
    methods: ANY,
    path: /^\/([^/]+)\/oauth2\/v2\.0\/token$/,
    handle: (realm, request, segment) => handleToken(realm, request, segment, 2),
  },
  {
    endpoint: 'token',
    methods: ANY,
    path: /^\/([^/]+)\/oauth2\/token$/,
    handle: (realm, request, segment) => handleToken(realm, request, segment, 1),
  },
  {
    endpoint: 'deviceCode',
    methods: PAGE,
    path: /^\/([^/]+)\/oauth2\/v2\.0\/devicecode$/,
    handle: (realm, request, segment) => handleDeviceCode(realm, request, segment, 2),
  },
  {
    endpoint: 'deviceCode',
    methods: PAGE,
    path: /^\/([^/]+)\/oauth2\/devicecode$/,
    handle: (realm, request, segment) => handleDeviceCode(realm, request, segment, 1),
  },
  {
    endpoint: 'login',
    methods: PAGE,
    path: /^\/(?:devicelogin|[^/]+\/oauth2\/deviceauth)$/,
    handle: handleDevicePage,
  },
  {
    endpoint: 'authorize',
    methods: GET,
    path: /^\/([^/]+)\/v2\.0\/adminconsent$/,
    handle: (realm, request, segment) => handleAdminConsent(realm, request, segment, 2),
  },
  {
    endpoint: 'authorize',
    methods: GET,
    path: /^\/([^/]+)\/adminconsent$/,
    handle: (realm, request, segment) => handleAdminConsent(realm, request, segment, 1),
  },
  {
    endpoint: 'logout',
    methods: PAGE,
    path: /^\/([^/]+)\/oauth2\/(?:v2\.0\/)?logout$/,
    handle: handleLogout,
  },
  {
    endpoint: 'userinfo',
    methods: PAGE,
    path: /^\/(?:oidc|[^/]+\/openid)\/userinfo$/,
    handle: handleUserInfo,
  },
  { endpoint: 'discovery', methods: GET, path: CLUSTER_METADATA_PATH, handle: handleClusterMetadata },
  { endpoint: 'keys', methods: GET, path: CLUSTER_KEYS_PATH, handle: handleClusterKeys },
  { endpoint: 'managedIdentity', methods: GET, path: /^\/msi\/token$/, handle: handleAppService },
  {
    endpoint: 'managedIdentity',
    methods: GET,
    path: /^\/metadata\/identity\/oauth2\/token\/?$/,
    handle: handleImds,
  },
  // Graph and the vault have tables of their own.
  { endpoint: 'keyVault', methods: ANY, path: KEY_VAULT_PATH, handle: handleKeyVault },
  { endpoint: 'graph', methods: ANY, path: /^\/v1\.0\/.+$/, handle: handleGraph },
];

/** @param wait how a latency fault passes its time; ends early when the emulator closes */
export async function answer(
  realm: Realm,
  request: EmulatorRequest,
  wait: (ms: number) => Promise<void>,
): Promise<Reply> {
  const onPath = routes.filter((route) => route.path.test(request.path));
  const route = onPath.find((each) => each.methods.includes(request.method));
  if (onPath.length === 0)
    return jsonReply(404, { error: 'not_found', error_description: 'No such endpoint.' });
  if (route === undefined) {
    const allow = onPath.flatMap((each) => each.methods).join(', ');
    return jsonReply(405, { error: 'method_not_allowed', error_description: `Use ${allow}.` }, { allow });
  }
  try {
    const clientId = request.form.get('client_id') ?? request.query.get('client_id');
    const moment = { endpoint: route.endpoint, ...(clientId === null ? {} : { clientId }) };
    const faulty = await applyFault(takeDoorFault(realm.faults, moment), wait);
    return faulty ?? (await route.handle(realm, request, readSegment(route, request.path)));
  } catch (problem) {
    return answerProblem(realm, request, route.endpoint, problem);
  }
}

function readSegment(route: Route, path: string): string {
  const raw = route.path.exec(path)?.[1] ?? '';
  try {
    return decodeURIComponent(raw);
  } catch {
    throw new AadstsError(9002313);
  }
}

function answerProblem(realm: Realm, request: EmulatorRequest, endpoint: Endpoint, problem: unknown): Reply {
  // A fault of the emulator itself answers as Entra's would; its text says nothing.
  const error = problem instanceof AadstsError ? problem : new AadstsError(50000);
  const trace = { traceId: request.traceId, correlationId: request.correlationId, nowMs: realm.nowMs() };
  const reply = renderProblem(realm, request, endpoint, error, trace);
  if (error !== problem)
    return {
      ...reply,
      mistake: problem instanceof Error ? (problem.stack ?? problem.message) : String(problem),
    };
  if (error.retryAfterSeconds === undefined) return reply;
  return { ...reply, headers: { ...reply.headers, 'retry-after': String(error.retryAfterSeconds) } };
}

function renderProblem(
  realm: Realm,
  request: EmulatorRequest,
  endpoint: Endpoint,
  error: AadstsError,
  trace: Parameters<typeof renderErrorPage>[1],
): Reply {
  if (endpoint === 'authorize' || endpoint === 'login' || endpoint === 'logout')
    return renderErrorPage(error, trace);
  if (endpoint === 'managedIdentity') return renderManagedIdentityProblem(request, error);
  if (endpoint === 'keyVault') return renderKeyVaultProblem(error);
  if (endpoint !== 'graph' && endpoint !== 'userinfo')
    return jsonReply(error.status, errorBody(error, trace));
  return renderGraphProblem(realm, request, error);
}
