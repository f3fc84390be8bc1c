/**
 * Room `graph`: the little of Microsoft Graph that a sign-in needs: the person, and the groups a token could not hold.
 * Accepts only tokens made for Graph; its errors have Graph's own shape.
 */
import { type Directory, type User, userPrincipalName } from '../directory.ts';
import { entraTimestamp } from '../errors.ts';
import { raisePersonalFault } from '../faults.ts';
import type { Realm } from '../realm.ts';
import { type EmulatorRequest, jsonReply, type Reply } from '../request.ts';
import { verifyGraphToken } from '../tokens.ts';

const INVALID_TOKEN = 'Access token validation failure. Invalid audience, signature or lifetime.';
const ONLY_DELEGATED = '/me request is only valid with delegated authentication flow.';

interface Caller {
  readonly user: User;
  readonly scopes: readonly string[];
}

type Admission = { readonly caller: Caller } | { readonly refusal: Reply };

const DEFAULT_PROPERTIES = [
  'businessPhones displayName givenName id jobTitle mail mobilePhone officeLocation',
  'preferredLanguage surname userPrincipalName',
].flatMap((line) => line.split(' '));

export async function handleMe(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  const admission = await admit(realm, request, ['User.Read']);
  if ('refusal' in admission) return admission.refusal;
  const profile = describeUser(admission.caller.user);
  const selected = readSelect(request.query.get('$select'));
  const unknown = selected?.find((name) => !Object.hasOwn(profile, name));
  if (unknown !== undefined) {
    return graphError(
      realm,
      request,
      400,
      'BadRequest',
      `Could not find a property named '${unknown}' on type 'microsoft.graph.user'.`,
    );
  }
  const names = selected ?? DEFAULT_PROPERTIES;
  const context = selected === undefined ? '#users/$entity' : `#users(${selected.join(',')})/$entity`;
  return jsonReply(200, {
    '@odata.context': `https://graph.microsoft.com/v1.0/$metadata${context}`,
    ...Object.fromEntries(names.map((name) => [name, profile[name]])),
  });
}

/** The way around the overage: ids only. */
export async function handleMemberObjects(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  const admission = await admit(realm, request, ['User.Read', 'GroupMember.Read.All', 'Directory.Read.All']);
  if ('refusal' in admission) return admission.refusal;
  return jsonReply(200, {
    '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#Collection(Edm.String)',
    value: admission.caller.user.seed.groups ?? [],
  });
}

/** OpenID Connect Core §5.3; Entra serves it from Graph's host. */
export async function handleUserInfo(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  const admission = await admit(realm, request, ['openid']);
  if ('refusal' in admission) return admission.refusal;
  const { seed } = admission.caller.user;
  return jsonReply(200, {
    sub: seed.objectId,
    name: seed.displayName,
    family_name: seed.surname,
    given_name: seed.givenName,
    ...(seed.mail === undefined ? {} : { email: seed.mail }),
  });
}

export function graphError(
  realm: Realm,
  request: EmulatorRequest,
  status: number,
  code: string,
  message: string,
): Reply {
  const date = entraTimestamp(realm.nowMs()).slice(0, 19).replace(' ', 'T');
  const innerError = { date, 'request-id': request.traceId, 'client-request-id': request.correlationId };
  const headers: Record<string, string> = { 'request-id': request.traceId };
  if (status === 401) {
    headers['www-authenticate'] =
      'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"';
  }
  return jsonReply(status, { error: { code, message, innerError } }, headers);
}

/** One of the scopes is enough. */
async function admit(
  realm: Realm,
  request: EmulatorRequest,
  anyScope: readonly string[],
): Promise<Admission> {
  const token = /^bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined)
    return refuse(realm, request, 401, 'InvalidAuthenticationToken', 'Access token is empty.');
  const claims = await verifyGraphToken(realm, token).catch(() => undefined);
  if (claims === undefined) return refuse(realm, request, 401, 'InvalidAuthenticationToken', INVALID_TOKEN);
  if (typeof claims['scp'] !== 'string') return refuse(realm, request, 400, 'BadRequest', ONLY_DELEGATED);
  const user = findByObjectId(realm.directory, claims['oid']);
  if (user === undefined || !user.enabled)
    return refuse(realm, request, 401, 'InvalidAuthenticationToken', INVALID_TOKEN);
  const clientId = String(claims['appid']);
  raisePersonalFault(realm.faults, { endpoint: 'graph', clientId, username: user.seed.username });
  const scopes = claims['scp'].split(' ');
  if (anyScope.some((scope) => scopes.includes(scope))) return { caller: { user, scopes } };
  return refuse(
    realm,
    request,
    403,
    'Authorization_RequestDenied',
    'Insufficient privileges to complete the operation.',
  );
}

function refuse(
  realm: Realm,
  request: EmulatorRequest,
  status: number,
  code: string,
  message: string,
): Admission {
  return { refusal: graphError(realm, request, status, code, message) };
}

function findByObjectId(directory: Directory, objectId: unknown): User | undefined {
  return directory.tenants.flatMap((tenant) => tenant.users).find((user) => user.seed.objectId === objectId);
}

function readSelect(select: string | null): readonly string[] | undefined {
  if (select === null || select.trim() === '') return undefined;
  return select.split(',').map((name) => name.trim());
}

function describeUser(user: User): Record<string, unknown> {
  const { seed } = user;
  return {
    businessPhones: [],
    displayName: seed.displayName,
    givenName: seed.givenName,
    id: seed.objectId,
    jobTitle: seed.jobTitle ?? null,
    mail: seed.mail ?? null,
    mobilePhone: null,
    officeLocation: null,
    preferredLanguage: null,
    surname: seed.surname,
    userPrincipalName: userPrincipalName(user),
    accountEnabled: user.enabled,
    userType: seed.guestFrom === undefined ? 'Member' : 'Guest',
  };
}
