/** People in Graph: reading one, listing all, disabling, deleting, and ending their sessions. */
import {
  isSameName,
  removeUser,
  revokeUserSessions,
  type Tenant,
  type User,
  userPrincipalName,
} from '../directory.ts';
import type { Realm } from '../realm.ts';
import type { EmulatorRequest, Reply } from '../request.ts';
import {
  type Caller,
  checkPermissions,
  hasPermissions,
  type Permissions,
  requirePerson,
} from './graph-caller.ts';
import {
  CONTEXT,
  contextOf,
  type Entity,
  pick,
  readSelect,
  replyCollection,
  replyNothing,
  replyOdata,
} from './graph-collection.ts';
import { badRequest, denied, notFound } from './graph-error.ts';
import { readJsonObject } from './graph-body.ts';

/** What Graph shows without $select. */
export const USER_DEFAULTS = [
  'businessPhones displayName givenName id jobTitle mail mobilePhone officeLocation',
  'preferredLanguage surname userPrincipalName',
].flatMap((line) => line.split(' '));

/** All that `User.ReadBasic.All` opens. */
const BASIC = new Set(['displayName', 'givenName', 'id', 'mail', 'surname', 'userPrincipalName']);

const READ_ALL = ['User.Read.All', 'User.ReadWrite.All', 'Directory.Read.All', 'Directory.ReadWrite.All'];
const READ: Permissions = {
  own: ['User.Read', 'User.ReadWrite'],
  delegated: READ_ALL,
  application: READ_ALL,
};
const READ_BASIC: Permissions = {
  delegated: ['User.ReadBasic.All', ...READ_ALL],
  application: ['User.ReadBasic.All', ...READ_ALL],
};
const WRITE = ['User.ReadWrite.All', 'Directory.ReadWrite.All'];
const ENABLE: Permissions = {
  adminOnly: true,
  delegated: ['User.EnableDisableAccount.All+User.Read.All', ...WRITE],
  application: ['User.EnableDisableAccount.All+User.Read.All', ...WRITE],
};
const DELETE: Permissions = { adminOnly: true, delegated: WRITE, application: WRITE };
const REVOKE: Permissions = {
  own: ['User.ReadWrite'],
  delegated: ['User.RevokeSessions.All', ...WRITE],
  application: ['User.RevokeSessions.All', ...WRITE],
};

/** @param name `me`, an object id or a user principal name. @throws GraphError 400, 404 */
export function findSubject(caller: Caller, name: string | undefined): User {
  if (name === undefined) return requirePerson(caller);
  const found = findByIdOrName(caller.tenant, name);
  if (found === undefined) throw notFound(name);
  return found;
}

function findByIdOrName(tenant: Tenant, name: string): User | undefined {
  return tenant.users.find(
    (user) => isSameName(user.seed.objectId, name) || isSameName(userPrincipalName(user), name),
  );
}

export function handleUser(realm: Realm, request: EmulatorRequest, caller: Caller, name?: string): Reply {
  const user = findSubject(caller, name);
  if (request.method === 'PATCH') return updateUser(realm, request, caller, user);
  if (request.method === 'DELETE') return deleteUser(realm, request, caller, user);
  const select = readSelect(request);
  const entity = describeUser(user);
  const context = `${contextOf('users', select)}/$entity`;
  const names = select ?? USER_DEFAULTS;
  return replyOdata(request, {
    '@odata.context': context,
    ...pick(limit(caller, user, entity, select), names, 'user'),
  });
}

/** With the basic permission the rest is empty, or refused when it was asked for by name. */
function limit(caller: Caller, user: User, entity: Entity, select: readonly string[] | undefined): Entity {
  if (hasPermissions(caller, READ, user)) return entity;
  checkPermissions(caller, READ_BASIC, user);
  const isBeyond = (name: string) => Object.hasOwn(entity, name) && !BASIC.has(name);
  if (select?.some(isBeyond)) throw denied();
  return Object.fromEntries(
    Object.entries(entity).map(([key, value]) => [key, BASIC.has(key) ? value : emptyOf(value)]),
  );
}

const emptyOf = (value: unknown) => (Array.isArray(value) ? [] : null);

export function handleUsers(_: Realm, request: EmulatorRequest, caller: Caller): Reply {
  const items = caller.tenant.users.map((user) => ({
    type: 'user',
    entity: limit(caller, user, describeUser(user), readSelect(request)),
  }));
  return replyCollection(request, { set: 'users', items, defaults: USER_DEFAULTS });
}

/** Only the switch of the account: the one property a leaver's story needs. @throws GraphError 400, 403 */
function updateUser(_: Realm, request: EmulatorRequest, caller: Caller, user: User): Reply {
  checkPermissions(caller, ENABLE, user);
  const body = readJsonObject(request);
  const entity = describeUser(user);
  for (const name of Object.keys(body)) {
    pick(entity, [name], 'user');
    if (name !== 'accountEnabled')
      throw badRequest(
        `The emulator updates accountEnabled and nothing else of a user, not '${name.slice(0, 100)}'.`,
      );
  }
  const { accountEnabled } = body;
  if (accountEnabled === undefined) return replyNothing(request);
  if (typeof accountEnabled !== 'boolean')
    throw badRequest("Invalid value specified for property 'accountEnabled' of resource 'User'.");
  user.enabled = accountEnabled;
  return replyNothing(request);
}

function deleteUser(realm: Realm, request: EmulatorRequest, caller: Caller, user: User): Reply {
  checkPermissions(caller, DELETE, user);
  removeUser(user, realm.nowMs());
  return replyNothing(request);
}

export function handleRevoke(realm: Realm, request: EmulatorRequest, caller: Caller, name?: string): Reply {
  const user = findSubject(caller, name);
  checkPermissions(caller, REVOKE, user);
  revokeUserSessions(user, realm.nowMs());
  return replyOdata(request, { '@odata.context': `${CONTEXT}#Edm.Boolean`, value: true });
}

/** Everything the emulator knows of a person, under Graph's names. */
export function describeUser(user: User): Entity {
  const { seed } = user;
  const isGuest = seed.guestFrom !== undefined;
  const validFrom = user.sessionsValidFromMs;
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
    userType: isGuest ? 'Guest' : 'Member',
    externalUserState: isGuest ? 'Accepted' : null,
    creationType: isGuest ? 'Invitation' : null,
    mailNickname: seed.username.split('@')[0] ?? seed.username,
    otherMails: [],
    department: null,
    companyName: null,
    employeeId: null,
    usageLocation: null,
    onPremisesImmutableId: null,
    onPremisesSyncEnabled: null,
    deletedDateTime: null,
    signInSessionsValidFromDateTime:
      validFrom === undefined ? null : `${new Date(validFrom).toISOString().slice(0, 19)}Z`,
  };
}
