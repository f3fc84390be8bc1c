/**
 * Room `graph`: the Microsoft Graph that sign-in and leaving need: the person, their memberships, disabling and deleting
 * them, change tracking, apps and assignments, batches. Accepts only tokens made for Graph; its errors have Graph's own
 * shape. Knows no sign-in.
 */
import { AadstsError } from '../errors.ts';
import type { Realm } from '../realm.ts';
import { type EmulatorRequest, jsonReply, type Reply } from '../request.ts';
import { type AppKey, handleApplications, handleAssignedTo, handleServicePrincipals } from './graph-apps.ts';
import { handleBatch } from './graph-batch.ts';
import { admit, type Caller, checkPermissions, requirePerson } from './graph-caller.ts';
import { handleDelta } from './graph-delta.ts';
import { badRequest, fromAadsts, GraphError, renderGraphError } from './graph-error.ts';
import {
  handleCheckMembers,
  handleGetMembers,
  handleGroup,
  handleGroups,
  handleMemberOf,
} from './graph-memberships.ts';
import { pairwiseSubject } from '../tokens.ts';
import { handleRevoke, handleUser, handleUsers } from './graph-users.ts';

type Handle = (realm: Realm, request: EmulatorRequest, caller: Caller, parts: Parts) => Reply;
type Parts = Readonly<Record<string, string | undefined>>;

interface Resource {
  readonly methods: readonly string[];
  readonly path: RegExp;
  readonly handle: Handle;
}

/** `/me`, `/users/{id}` or the key in parentheses that names starting with a dollar sign need. */
const PERSON = String.raw`/(?:me|users/(?<user>[^/]+)|users\('(?<quoted>[^/]+)'\))`;
const APP_KEY = String.raw`(?:/(?<id>[^/]+)|\(appId='(?<appId>[^']+)'\))`;
const person = (parts: Parts) => parts['user'] ?? parts['quoted'];
const kindOf = (parts: Parts) => (parts['kind'] === 'Groups' ? 'Groups' : 'Objects');
const appKey = (parts: Parts): AppKey | undefined => {
  if (parts['appId'] !== undefined) return { property: 'appId', value: parts['appId'] };
  return parts['id'] === undefined ? undefined : { property: 'id', value: parts['id'] };
};

const row = (methods: string, path: string, handle: Handle): Resource => ({
  methods: methods.split(' '),
  path: new RegExp(`^/v1\\.0${path}/?$`),
  handle,
});

const resources: readonly Resource[] = [
  row('GET', '/users', handleUsers),
  row('GET', String.raw`/users/(?:microsoft\.graph\.)?delta(?:\(\))?`, handleDelta),
  row('GET PATCH DELETE', PERSON, (realm, request, caller, parts) =>
    handleUser(realm, request, caller, person(parts)),
  ),
  row('POST', `${PERSON}/(?:microsoft\\.graph\\.)?revokeSignInSessions`, (realm, request, caller, parts) =>
    handleRevoke(realm, request, caller, person(parts)),
  ),
  row(
    'POST',
    `${PERSON}/(?:microsoft\\.graph\\.)?getMember(?<kind>Objects|Groups)`,
    (realm, request, caller, parts) => handleGetMembers(realm, request, caller, person(parts), kindOf(parts)),
  ),
  row(
    'POST',
    `${PERSON}/(?:microsoft\\.graph\\.)?checkMember(?<kind>Objects|Groups)`,
    (realm, request, caller, parts) =>
      handleCheckMembers(realm, request, caller, person(parts), kindOf(parts)),
  ),
  row(
    'GET',
    String.raw`${PERSON}/(?<way>transitiveMemberOf|memberOf)(?:/(?:microsoft\.)?graph\.(?<cast>group|directoryRole))?(?<count>/\$count)?`,
    (realm, request, caller, parts) =>
      handleMemberOf(realm, request, caller, person(parts), {
        isTransitive: parts['way'] === 'transitiveMemberOf',
        isCount: parts['count'] !== undefined,
        ...(parts['cast'] === undefined ? {} : { cast: parts['cast'] }),
      }),
  ),
  row('GET', '/groups', handleGroups),
  row('GET', '/groups/(?<id>[^/]+)', (realm, request, caller, parts) =>
    handleGroup(realm, request, caller, parts['id'] ?? ''),
  ),
  row('GET', `/applications(?:${APP_KEY})?`, (realm, request, caller, parts) =>
    handleApplications(realm, request, caller, appKey(parts)),
  ),
  row('GET', `/servicePrincipals(?:${APP_KEY})?`, (realm, request, caller, parts) =>
    handleServicePrincipals(realm, request, caller, appKey(parts)),
  ),
  row('GET', `/servicePrincipals${APP_KEY}/appRoleAssignedTo`, (realm, request, caller, parts) =>
    handleAssignedTo(realm, request, caller, appKey(parts) ?? { property: 'id', value: '' }),
  ),
];

/** Every request below `/v1.0`. Never throws what is Graph's to say. */
export async function handleGraph(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  if (!/^\/v1\.0\/\$batch\/?$/.test(request.path)) return answerItem(realm, request);
  return refusing(realm, request, async () => {
    if (request.method !== 'POST') throw methodNotAllowed();
    return handleBatch(realm, request, answerItem);
  });
}

function answerItem(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  return refusing(realm, request, async () => {
    const caller = await admit(realm, request);
    const onPath = resources.filter((each) => each.path.test(request.path));
    const resource = onPath.find((each) =>
      each.methods.includes(request.method === 'HEAD' ? 'GET' : request.method),
    );
    if (resource !== undefined)
      return resource.handle(realm, request, caller, readParts(resource, request.path));
    if (onPath.length > 0) throw methodNotAllowed();
    const segment = request.path.split('/')[2] ?? '';
    throw badRequest(`Resource not found for the segment '${segment.slice(0, 100)}'.`, 'BadRequest');
  });
}

async function refusing(realm: Realm, request: EmulatorRequest, run: () => Promise<Reply>): Promise<Reply> {
  try {
    return await run();
  } catch (problem) {
    if (problem instanceof GraphError) return renderGraphError(realm, request, problem);
    if (problem instanceof AadstsError) return renderGraphError(realm, request, fromAadsts(problem));
    throw problem;
  }
}

function methodNotAllowed(): GraphError {
  return new GraphError(
    405,
    'Request_BadRequest',
    'Specified HTTP method is not allowed for the request target.',
  );
}

function readParts(resource: Resource, path: string): Parts {
  const groups = resource.path.exec(path)?.groups ?? {};
  try {
    return Object.fromEntries(
      Object.entries(groups).map(([name, value]) => [
        name,
        value === undefined ? undefined : decodeURIComponent(value),
      ]),
    );
  } catch {
    throw badRequest('The request URI is not valid.', 'BadRequest');
  }
}

/** OpenID Connect Core §5.3; Entra serves it from Graph's host. `sub` is the id token's: libraries compare the two. */
export async function handleUserInfo(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  return refusing(realm, request, async () => {
    const caller = await admit(realm, request);
    const user = requirePerson(caller);
    const { seed } = user;
    checkPermissions(caller, { delegated: ['openid'], application: [] });
    return jsonReply(200, {
      sub: pairwiseSubject(user, caller.clientId),
      name: seed.displayName,
      family_name: seed.surname,
      given_name: seed.givenName,
      picture: 'https://graph.microsoft.com/v1.0/me/photo/$value',
      ...(seed.mail === undefined ? {} : { email: seed.mail }),
    });
  });
}

/** What the door has to say for Graph: a planned outage, or a mistake of the emulator's own. */
export function renderGraphProblem(realm: Realm, request: EmulatorRequest, error: AadstsError): Reply {
  return renderGraphError(realm, request, fromAadsts(error));
}
