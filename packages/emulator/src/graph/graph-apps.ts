/** Applications, their service principals, and who is assigned to them. Read only. */
import { createHash } from 'node:crypto';
import type { App, Tenant } from '../directory.ts';
import type { Realm } from '../realm.ts';
import type { EmulatorRequest, Reply } from '../request.ts';
import type { ManagedIdentitySeed } from '../seed.ts';
import { type Caller, checkPermissions, type Permissions } from './graph-caller.ts';
import { contextOf, type Entity, pick, readSelect, replyCollection, replyOdata } from './graph-collection.ts';
import { notFound } from './graph-error.ts';

const READ_ALL = [
  'Application.Read.All',
  'Application.ReadWrite.All',
  'Directory.Read.All',
  'Directory.ReadWrite.All',
];
const READ: Permissions = { delegated: READ_ALL, application: READ_ALL };
const DEFAULT_ACCESS_ROLE = '00000000-0000-0000-0000-000000000000';

/** @param key an object id, or `appId='…'` as the alternate key */
export function handleApplications(_: Realm, request: EmulatorRequest, caller: Caller, key?: AppKey): Reply {
  checkPermissions(caller, READ);
  const home = caller.tenant.apps.filter((app) => app.home === app.tenant && isRegistered(app));
  return replyOneOrAll(request, 'application', home.map(describeApplication), key);
}

export function handleServicePrincipals(
  _: Realm,
  request: EmulatorRequest,
  caller: Caller,
  key?: AppKey,
): Reply {
  checkPermissions(caller, READ);
  return replyOneOrAll(request, 'servicePrincipal', listServicePrincipals(caller.tenant), key);
}

/** Who holds which app role of this resource: people, and apps with application permissions. */
export function handleAssignedTo(_: Realm, request: EmulatorRequest, caller: Caller, key: AppKey): Reply {
  checkPermissions(caller, READ);
  const principal = findByKey(listServicePrincipals(caller.tenant), key);
  const app = caller.tenant.apps.find((each) => principalIdOf(each) === principal['id']);
  const items = (app === undefined ? [] : listAssignments(caller.tenant, app)).map((entity) => ({
    type: 'appRoleAssignment',
    entity,
  }));
  const set = `servicePrincipals('${String(principal['id'])}')/appRoleAssignedTo`;
  return replyCollection(request, { set, items });
}

export interface AppKey {
  readonly property: 'id' | 'appId';
  readonly value: string;
}

function replyOneOrAll(
  request: EmulatorRequest,
  type: string,
  entities: readonly Entity[],
  key?: AppKey,
): Reply {
  const set = `${type}s`;
  if (key === undefined)
    return replyCollection(request, { set, items: entities.map((entity) => ({ type, entity })) });
  const entity = findByKey(entities, key);
  const select = readSelect(request);
  return replyOdata(request, {
    '@odata.context': `${contextOf(set, select)}/$entity`,
    ...(select === undefined ? entity : pick(entity, select, type)),
  });
}

function findByKey(entities: readonly Entity[], key: AppKey): Entity {
  const found = entities.find((entity) => entity[key.property] === key.value.toLowerCase());
  if (found === undefined) throw notFound(key.value);
  return found;
}

/** Microsoft's own apps have a service principal in the tenant and no registration there. */
function isRegistered(app: App): boolean {
  return !/^https:\/\/(graph\.microsoft|vault\.azure|management\.(azure|core))/.test(
    app.seed.identifierUris?.[0] ?? '',
  );
}

function describeApplication(app: App): Entity {
  const { seed } = app;
  return {
    id: seed.objectId ?? derivedId('application', seed.clientId),
    deletedDateTime: null,
    appId: seed.clientId,
    displayName: seed.displayName,
    identifierUris: seed.identifierUris ?? [],
    publisherDomain: app.tenant.seed.domain,
    signInAudience: seed.multiTenant ? 'AzureADMultipleOrgs' : 'AzureADMyOrg',
    groupMembershipClaims: seed.groupClaims ? 'SecurityGroup' : null,
    isFallbackPublicClient: seed.allowPublicClient ?? null,
    api: {
      requestedAccessTokenVersion: seed.accessTokenVersion,
      oauth2PermissionScopes: (seed.scopes ?? []).map((value) => ({
        id: derivedId('scope', seed.clientId, value),
        value,
        isEnabled: true,
        type: seed.adminScopes?.includes(value) ? 'Admin' : 'User',
      })),
    },
    appRoles: describeRoles(app),
    web: { redirectUris: redirectUris(app, 'web') },
    spa: { redirectUris: redirectUris(app, 'spa') },
    publicClient: { redirectUris: redirectUris(app, 'publicClient') },
    // Secrets and certificates are listed without what is secret in them.
    passwordCredentials: (seed.secrets ?? []).map((secret) => ({
      keyId: derivedId('secret', seed.clientId, secret.value),
      hint: secret.value.slice(0, 3),
      endDateTime: secret.expiresAtMs === undefined ? null : new Date(secret.expiresAtMs).toISOString(),
      secretText: null,
    })),
  };
}

function redirectUris(app: App, platform: string): readonly string[] {
  return app.redirectUris.filter((each) => each.platform === platform).map((each) => each.uri);
}

function describeRoles(app: App): readonly Entity[] {
  return (app.seed.appRoles ?? []).map((role) => ({
    id: roleId(app, role.value),
    value: role.value,
    displayName: role.displayName,
    description: role.displayName,
    isEnabled: true,
    allowedMemberTypes: ['User', 'Application'],
  }));
}

function listServicePrincipals(tenant: Tenant): readonly Entity[] {
  return [
    ...tenant.apps.filter((app) => app.isInstalled).map(describeServicePrincipal),
    ...(tenant.seed.managedIdentities ?? []).map(describeIdentity),
  ];
}

function describeServicePrincipal(app: App): Entity {
  const { seed } = app;
  return {
    id: principalIdOf(app),
    deletedDateTime: null,
    accountEnabled: seed.enabled ?? true,
    alternativeNames: [],
    appDisplayName: seed.displayName,
    appId: seed.clientId,
    appOwnerOrganizationId: app.home.seed.tenantId,
    appRoleAssignmentRequired: seed.assignmentRequired ?? false,
    displayName: seed.displayName,
    servicePrincipalNames: [seed.clientId, ...(seed.identifierUris ?? [])],
    servicePrincipalType: 'Application',
    appRoles: describeRoles(app),
  };
}

function describeIdentity(identity: ManagedIdentitySeed): Entity {
  return {
    id: identity.principalId,
    deletedDateTime: null,
    accountEnabled: true,
    alternativeNames: [
      `isExplicit=${identity.kind === 'userAssigned' ? 'True' : 'False'}`,
      identity.resourceId,
    ],
    appDisplayName: null,
    appId: identity.clientId,
    appOwnerOrganizationId: null,
    appRoleAssignmentRequired: false,
    displayName: identity.displayName,
    servicePrincipalNames: [identity.clientId],
    servicePrincipalType: 'ManagedIdentity',
    appRoles: [],
  };
}

function listAssignments(tenant: Tenant, app: App): readonly Entity[] {
  const people = tenant.users.flatMap((user) => {
    const roles = user.roles.get(app.seed.clientId);
    if (roles === undefined) return [];
    const principal = { id: user.seed.objectId, name: user.seed.displayName, type: 'User' };
    return (roles.length === 0 ? [undefined] : roles).map((role) => describeAssignment(app, principal, role));
  });
  const apps = [...app.applicationGrants].flatMap(([clientId, roles]) => {
    const principal = findGrantee(tenant, clientId);
    return principal === undefined ? [] : roles.map((role) => describeAssignment(app, principal, role));
  });
  return [...people, ...apps];
}

interface Principal {
  readonly id: string;
  readonly name: string;
  readonly type: string;
}

function findGrantee(tenant: Tenant, clientId: string): Principal | undefined {
  const app = tenant.apps.find((each) => each.seed.clientId === clientId);
  if (app !== undefined)
    return { id: principalIdOf(app), name: app.seed.displayName, type: 'ServicePrincipal' };
  const identity = tenant.seed.managedIdentities?.find((each) => each.clientId === clientId);
  if (identity === undefined) return undefined;
  return { id: identity.principalId, name: identity.displayName, type: 'ServicePrincipal' };
}

function describeAssignment(app: App, principal: Principal, role: string | undefined): Entity {
  return {
    id: createHash('sha256')
      .update(`${principal.id}|${app.seed.clientId}|${role ?? ''}`)
      .digest('base64url'),
    deletedDateTime: null,
    appRoleId: role === undefined ? DEFAULT_ACCESS_ROLE : roleId(app, role),
    createdDateTime: '2026-01-01T00:00:00Z',
    principalDisplayName: principal.name,
    principalId: principal.id,
    principalType: principal.type,
    resourceDisplayName: app.seed.displayName,
    resourceId: principalIdOf(app),
  };
}

function principalIdOf(app: App): string {
  return app.servicePrincipalId;
}

function roleId(app: App, value: string): string {
  return derivedId('role', app.seed.clientId, value);
}

/** A GUID that is the same at every start. */
function derivedId(...parts: readonly string[]): string {
  const hex = createHash('sha256').update(parts.join('|')).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
