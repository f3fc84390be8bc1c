/**
 * Room `managed-identity`: the two doors through which a process in Azure gets a token without a secret: App Service's
 * `/msi/token` and the instance metadata service (IMDS). Both are plain http and have answers of their own, not Entra's.
 * Knows no client secret, no person and no grant.
 */
import { randomUUID } from 'node:crypto';
import type { Tenant } from '../directory.ts';
import type { AadstsError } from '../errors.ts';
import type { Realm } from '../realm.ts';
import { type EmulatorRequest, jsonReply, type Reply } from '../request.ts';
import { isSameSecret } from '../same-secret.ts';
import type { ManagedIdentitySeed } from '../seed.ts';
import { createManagedIdentityToken } from './managed-identity-token.ts';

export const APP_SERVICE_PATH = '/msi/token';
const APP_SERVICE_VERSIONS = ['2019-08-01', '2020-06-01', '2025-03-30'];

/** Why there is no token. The two doors say the same in different shapes. */
class NoToken extends Error {
  readonly status: number;
  readonly error: string;

  constructor(status: number, error: string, description: string) {
    super(description);
    this.status = status;
    this.error = error;
  }
}

/** App Service and Functions: `IDENTITY_ENDPOINT`, with the secret of `IDENTITY_HEADER`. */
export async function handleAppService(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  return answering(request, async () => {
    const given = request.headers['x-identity-header'];
    if (typeof given !== 'string' || !isSameSecret(given, realm.identityHeader))
      throw new NoToken(401, 'unauthorized', 'The X-IDENTITY-HEADER is missing or wrong.');
    const version = request.query.get('api-version') ?? '';
    if (!APP_SERVICE_VERSIONS.includes(version))
      throw new NoToken(
        400,
        'unsupported_api_version',
        `The api-version '${version.slice(0, 30)}' is not supported.`,
      );
    const identity = findIdentity(realm, request, 'appService');
    const issued = await issue(realm, request, identity);
    return jsonReply(200, {
      access_token: issued.token,
      client_id: identity.seed.clientId,
      expires_on: String(issued.expiresAtSeconds),
      resource: issued.resource,
      token_type: 'Bearer',
    });
  });
}

/** Virtual machines, and through `AZURE_POD_IDENTITY_AUTHORITY_HOST` everybody else. Numbers come as text. */
export async function handleImds(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  return answering(request, async () => {
    // A request that came through a proxy is somebody else's: server-side request forgery is how tokens got stolen here.
    if (request.headers['x-forwarded-for'] !== undefined)
      throw new NoToken(400, 'invalid_request', 'Requests with an X-Forwarded-For header are not served.');
    if (String(request.headers['metadata']).toLowerCase() !== 'true')
      throw new NoToken(400, 'invalid_request', 'Required metadata header not specified');
    const version = request.query.get('api-version');
    if (version === null)
      throw new NoToken(400, 'invalid_request', "Required query variable 'api-version' is missing");
    if (!/^20\d\d-\d\d-\d\d$/.test(version) || version < '2018-02-01')
      throw new NoToken(400, 'invalid_request', `The api-version '${version.slice(0, 30)}' is not supported`);
    const identity = findIdentity(realm, request, 'imds');
    const issued = await issue(realm, request, identity);
    const lifetime = String(issued.expiresAtSeconds - issued.issuedAtSeconds);
    return jsonReply(200, {
      access_token: issued.token,
      client_id: identity.seed.clientId,
      expires_in: lifetime,
      expires_on: String(issued.expiresAtSeconds),
      ext_expires_in: lifetime,
      not_before: String(issued.issuedAtSeconds),
      resource: issued.resource,
      token_type: 'Bearer',
    });
  });
}

interface Identity {
  readonly seed: ManagedIdentitySeed;
  readonly tenant: Tenant;
}

/** How each door spells the ways to name a user-assigned identity. */
const SELECTORS = {
  appService: {
    client_id: 'clientId',
    object_id: 'principalId',
    principal_id: 'principalId',
    mi_res_id: 'resourceId',
  },
  imds: {
    client_id: 'clientId',
    object_id: 'principalId',
    msi_res_id: 'resourceId',
    mi_res_id: 'resourceId',
  },
} as const;

/** Without a name: the system-assigned identity, or on IMDS the only user-assigned one. */
function findIdentity(realm: Realm, request: EmulatorRequest, door: 'appService' | 'imds'): Identity {
  const all = realm.directory.tenants.flatMap((tenant) =>
    (tenant.seed.managedIdentities ?? []).map((seed) => ({ seed, tenant })),
  );
  for (const [parameter, member] of Object.entries(SELECTORS[door])) {
    const wanted = request.query.get(parameter)?.toLowerCase();
    if (wanted === undefined) continue;
    const named = all.find(({ seed }) => seed[member].toLowerCase() === wanted);
    if (named === undefined) throw identityNotFound(door);
    return named;
  }
  const system = all.find(({ seed }) => seed.kind === 'systemAssigned');
  if (system !== undefined) return system;
  const [only, second] = all;
  if (door === 'appService' || only === undefined) throw identityNotFound(door);
  if (second === undefined) return only;
  throw new NoToken(
    400,
    'invalid_request',
    'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request',
  );
}

function identityNotFound(door: 'appService' | 'imds'): NoToken {
  if (door === 'imds') return new NoToken(400, 'invalid_request', 'Identity not found');
  const text =
    'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.';
  return new NoToken(400, 'identity_not_found', text);
}

async function issue(realm: Realm, request: EmulatorRequest, identity: Identity) {
  const resource = request.query.get('resource') ?? '';
  if (resource === '')
    throw new NoToken(400, 'invalid_request', "Required query variable 'resource' is missing");
  const issued = await createManagedIdentityToken(realm, identity.tenant, identity.seed, resource);
  if (issued !== undefined) return { ...issued, resource };
  const text = `AADSTS500011: The resource principal named ${resource.slice(0, 200)} was not found in the tenant named ${identity.tenant.seed.displayName}.`;
  throw new NoToken(400, 'invalid_resource', text);
}

async function answering(request: EmulatorRequest, run: () => Promise<Reply>): Promise<Reply> {
  try {
    return await run();
  } catch (problem) {
    if (problem instanceof NoToken)
      return render(request, problem.status, problem.error, problem.message, {});
    throw problem;
  }
}

/** A planned fault: 404, 410, 429 and 5xx are what a client of these doors has to wait out. */
export function renderManagedIdentityProblem(request: EmulatorRequest, error: AadstsError): Reply {
  const { retryAfterSeconds, status, message } = error;
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  const [word, text] = TRANSIENT[status] ?? [error.error, message];
  return render(request, status, word, text, headers);
}

const TRANSIENT: Readonly<Record<number, readonly [error: string, description: string]>> = {
  404: ['not_found', 'The endpoint is updating.'],
  408: ['timeout', 'The request took too long.'],
  410: ['gone', 'The instance metadata service is going through updates.'],
  429: ['too_many_requests', 'Too many requests.'],
  500: ['unknown', 'Failed to retrieve the token. Retry after some time.'],
  502: ['bad_gateway', 'Failed to reach the token service.'],
  503: ['service_unavailable', 'The service is unavailable.'],
  504: ['gateway_timeout', 'The token service did not answer in time.'],
};

function render(
  request: EmulatorRequest,
  status: number,
  error: string,
  description: string,
  headers: Readonly<Record<string, string>>,
): Reply {
  if (request.path === APP_SERVICE_PATH)
    return jsonReply(
      status,
      { statusCode: status, message: description, correlationId: randomUUID() },
      headers,
    );
  return jsonReply(status, { error, error_description: description }, headers);
}
