/** Memberships: the way around the overage of a token, as ids, as a check of a list, and as objects in pages. */
import type { Tenant, User } from '../directory.ts';
import type { Realm } from '../realm.ts';
import type { EmulatorRequest, Reply } from '../request.ts';
import { readJsonObject, readTexts } from './graph-body.ts';
import { type Caller, checkPermissions, hasPermissions, type Permissions } from './graph-caller.ts';
import {
  CONTEXT,
  contextOf,
  type Entity,
  pick,
  readSelect,
  replyCollection,
  replyCount,
  replyOdata,
} from './graph-collection.ts';
import { badRequest, GraphError, notFound } from './graph-error.ts';
import { findSubject } from './graph-users.ts';

const DIRECTORY = ['Directory.Read.All', 'Directory.ReadWrite.All'];
const READ_GROUPS = ['GroupMember.Read.All', 'Group.Read.All', 'Group.ReadWrite.All', ...DIRECTORY];
const OF_SELF = ['User.Read', 'User.ReadWrite', 'User.Read.All', 'User.ReadWrite.All', ...READ_GROUPS];

const LIST: Permissions = {
  own: OF_SELF,
  delegated: ['User.Read.All', ...READ_GROUPS],
  application: ['User.Read.All', ...READ_GROUPS],
};
const GET_OBJECTS: Permissions = {
  own: OF_SELF,
  delegated: ['User.Read.All', 'User.ReadWrite.All', ...DIRECTORY],
  application: ['User.Read.All', 'User.ReadWrite.All', ...DIRECTORY],
};
const bothReads = ['User.Read.All', 'User.ReadWrite.All'].flatMap((user) =>
  ['GroupMember.Read.All', 'Group.Read.All'].map((group) => `${user}+${group}`),
);
const CHECK: Permissions = {
  own: OF_SELF,
  delegated: [
    'User.ReadBasic.All+GroupMember.Read.All',
    'User.ReadBasic.All+Group.Read.All',
    ...bothReads,
    ...DIRECTORY,
  ],
  application: [...bothReads, ...DIRECTORY],
};
const NAMES: Permissions = { delegated: READ_GROUPS, application: READ_GROUPS };

const MAX_CHECKED = 20;
/** More than this many ids Graph does not answer with at once. */
const MAX_RESULTS = 11_000;

interface Membership {
  readonly type: 'group' | 'directoryRole';
  readonly id: string;
  readonly isSecurity: boolean;
  readonly isDirect: boolean;
  readonly entity: Entity;
}

/** `getMemberObjects` and `getMemberGroups`: ids, nested ones included. The second leaves directory roles out. */
export function handleGetMembers(
  _: Realm,
  request: EmulatorRequest,
  caller: Caller,
  name: string | undefined,
  kind: 'Objects' | 'Groups',
): Reply {
  const user = findSubject(caller, name);
  checkPermissions(caller, GET_OBJECTS, user);
  const { securityEnabledOnly } = readJsonObject(request);
  if (securityEnabledOnly !== undefined && typeof securityEnabledOnly !== 'boolean')
    throw badRequest("Invalid value specified for parameter 'securityEnabledOnly'.");
  const found = listMemberships(user).filter(
    (each) => (!securityEnabledOnly || each.isSecurity) && (kind === 'Objects' || each.type === 'group'),
  );
  if (found.length > MAX_RESULTS)
    throw new GraphError(
      403,
      'Directory_ResultSizeLimitExceeded',
      'The size of the result set has exceeded the limit.',
    );
  return replyIds(
    request,
    found.map((each) => each.id),
  );
}

/** `checkMemberGroups` and `checkMemberObjects`: which of at most twenty ids the person belongs to. */
export function handleCheckMembers(
  _: Realm,
  request: EmulatorRequest,
  caller: Caller,
  name: string | undefined,
  kind: 'Objects' | 'Groups',
): Reply {
  const user = findSubject(caller, name);
  checkPermissions(caller, CHECK, user);
  const asked = readTexts(readJsonObject(request), kind === 'Groups' ? 'groupIds' : 'ids');
  if (asked.length > MAX_CHECKED)
    throw badRequest(`The number of values specified exceeds the limit of ${MAX_CHECKED}.`);
  const mine = new Set(
    listMemberships(user)
      .filter((each) => kind === 'Objects' || each.type === 'group')
      .map((each) => each.id),
  );
  return replyIds(
    request,
    asked.filter((id) => mine.has(id.toLowerCase())),
  );
}

function replyIds(request: EmulatorRequest, ids: readonly string[]): Reply {
  return replyOdata(request, { '@odata.context': `${CONTEXT}#Collection(Edm.String)`, value: ids });
}

/**
 * `memberOf` and `transitiveMemberOf`, whole or cast to one type, or counted. Whoever may not read groups still sees which
 * ones there are, with everything but the id empty: a client that authorizes by name finds null.
 */
export function handleMemberOf(
  _: Realm,
  request: EmulatorRequest,
  caller: Caller,
  name: string | undefined,
  way: { readonly isTransitive: boolean; readonly cast?: string; readonly isCount: boolean },
): Reply {
  const user = findSubject(caller, name);
  checkPermissions(caller, LIST, user);
  const isNamed = hasPermissions(caller, NAMES);
  const items = listMemberships(user)
    .filter(
      (each) => (way.isTransitive || each.isDirect) && (way.cast === undefined || way.cast === each.type),
    )
    .map(({ type, entity }) => ({ type, entity: isNamed ? entity : hideAllButId(entity) }));
  const set = way.cast === undefined ? 'directoryObjects' : `${way.cast}s`;
  const collection = { set, items, isMixed: way.cast === undefined };
  return way.isCount ? replyCount(request, collection) : replyCollection(request, collection);
}

function hideAllButId(entity: Entity): Entity {
  return Object.fromEntries(
    Object.entries(entity).map(([name, value]) => [
      name,
      name === 'id' ? value : Array.isArray(value) ? [] : null,
    ]),
  );
}

function listMemberships(user: User): readonly Membership[] {
  const direct = user.seed.directGroups;
  const groups = (user.seed.groups ?? []).map((id) => {
    const entity = describeGroup(user.tenant, id);
    const isDirect = direct === undefined || direct.includes(id);
    return { type: 'group' as const, id, isSecurity: entity['securityEnabled'] === true, isDirect, entity };
  });
  const roles = (user.seed.directoryRoles ?? []).map((role) => ({
    type: 'directoryRole' as const,
    id: role.objectId,
    isSecurity: false,
    isDirect: true,
    entity: {
      id: role.objectId,
      deletedDateTime: null,
      description: null,
      displayName: role.displayName,
      roleTemplateId: role.roleTemplateId,
    },
  }));
  return [...groups, ...roles];
}

export function handleGroups(_: Realm, request: EmulatorRequest, caller: Caller): Reply {
  checkPermissions(caller, NAMES);
  const items = groupIds(caller.tenant).map((id) => ({
    type: 'group',
    entity: describeGroup(caller.tenant, id),
  }));
  return replyCollection(request, { set: 'groups', items });
}

export function handleGroup(_: Realm, request: EmulatorRequest, caller: Caller, id: string): Reply {
  checkPermissions(caller, NAMES);
  const wanted = id.toLowerCase();
  if (!groupIds(caller.tenant).includes(wanted)) throw notFound(id);
  const select = readSelect(request);
  const entity = describeGroup(caller.tenant, wanted);
  return replyOdata(request, {
    '@odata.context': `${contextOf('groups', select)}/$entity`,
    ...(select === undefined ? entity : pick(entity, select, 'group')),
  });
}

function groupIds(tenant: Tenant): readonly string[] {
  const named = (tenant.seed.groups ?? []).map((group) => group.objectId);
  return [...new Set([...named, ...tenant.users.flatMap((user) => user.seed.groups ?? [])])];
}

/** A group the seed gives no record of is a security group, named after the end of its id. */
function describeGroup(tenant: Tenant, id: string): Entity {
  const known = tenant.seed.groups?.find((group) => group.objectId === id);
  const displayName = known?.displayName ?? `Group ${id.slice(-6)}`;
  const mailNickname = displayName.replace(/\W+/g, '');
  const isMail = known?.mailEnabled ?? false;
  return {
    id,
    deletedDateTime: null,
    classification: null,
    createdDateTime: '2026-01-01T00:00:00Z',
    description: known?.description ?? null,
    displayName,
    groupTypes: isMail ? ['Unified'] : [],
    isAssignableToRole: null,
    mail: isMail ? `${mailNickname}@${tenant.seed.domain}` : null,
    mailEnabled: isMail,
    mailNickname,
    membershipRule: null,
    onPremisesSyncEnabled: null,
    proxyAddresses: [],
    securityEnabled: known?.securityEnabled ?? true,
    visibility: null,
  };
}
