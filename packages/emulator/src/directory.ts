/**
 * Room `directory`: the tenants as they are now: the seed plus what the control plane has changed since.
 * Knows no HTTP. A name it cannot find is an AADSTS error, because every endpoint answers that the same way.
 */
import { createHash } from 'node:crypto';
import { AadstsError } from './errors.ts';
import { isRedirectUriRegistered } from './redirect-uri.ts';
import type {
  AppSeed,
  AssignmentSeed,
  FederatedCredential,
  Platform,
  RedirectUriSeed,
  Seed,
  TenantSeed,
  UserSeed,
} from './seed.ts';

export interface User {
  readonly seed: UserSeed;
  readonly tenant: Tenant;
  enabled: boolean;
  /** Grows at every revocation; a grant remembers the one it was made under. */
  sessionEpoch: number;
  /** When that was: Graph's `signInSessionsValidFromDateTime`. Absent = never. */
  sessionsValidFromMs?: number;
  /** Assigned roles by client id of the app; an app without entry is an app the person is not assigned to. */
  readonly roles: Map<string, readonly string[]>;
  hasSecondFactor: boolean;
  /** Wrong passwords in a row. Ten lock the account: AADSTS50053. */
  wrongPasswords: number;
}

/**
 * An app as one tenant has it: its service principal there. In its own tenant that comes with the registration; elsewhere
 * consent installs it, and what was registered is shared with home.
 */
export interface App {
  readonly seed: AppSeed;
  readonly tenant: Tenant;
  readonly home: Tenant;
  readonly servicePrincipalId: string;
  isInstalled: boolean;
  readonly redirectUris: RedirectUriSeed[];
  readonly certificates: string[];
  readonly federatedCredentials: FederatedCredential[];
  /** App roles of this app that other apps hold, by their client id. */
  readonly applicationGrants: Map<string, readonly string[]>;
}

export interface Tenant {
  readonly seed: TenantSeed;
  readonly users: User[];
  /** Installed or not: a multi-tenant app of elsewhere is here as soon as somebody asked for it. */
  readonly apps: App[];
  readonly consents: Consent[];
}

/** What a person, or an administrator for everybody, allowed a client to do at a resource. */
export interface Consent {
  readonly clientId: string;
  readonly resourceClientId: string;
  readonly scope: string;
  /** An object id, or `all`. */
  readonly principal: string;
}

export interface Directory {
  readonly tenants: readonly Tenant[];
}

/** The tenant part of an authority that stands for no tenant of its own. */
export function isAlias(segment: string): boolean {
  return ['common', 'organizations', 'consumers'].includes(segment.toLowerCase());
}

export function createDirectory(seed: Seed): Directory {
  const directory = { tenants: seed.tenants.map(createTenant) };
  for (const tenant of directory.tenants) installSeeded(directory, tenant);
  return directory;
}

function createTenant(seed: TenantSeed): Tenant {
  const users: User[] = [];
  const apps: App[] = [];
  const tenant: Tenant = { seed, users, apps, consents: [] };
  users.push(...seed.users.map((user) => createUser(user, tenant)));
  apps.push(...seed.apps.map((app) => createApp(app, tenant)));
  return tenant;
}

function installSeeded(directory: Directory, tenant: Tenant): void {
  for (const seeded of tenant.seed.servicePrincipals ?? []) {
    const home = findMultiTenantApp(directory, seeded.clientId);
    if (home === undefined || home.tenant === tenant) continue;
    tenant.apps.push({ ...bringApp(home, tenant), ...seeded, isInstalled: true });
  }
}

function createUser(seed: UserSeed, tenant: Tenant): User {
  const roles = new Map<string, readonly string[]>();
  const assigning: readonly {
    readonly clientId: string;
    readonly assignments?: readonly AssignmentSeed[];
  }[] = [...tenant.seed.apps, ...(tenant.seed.servicePrincipals ?? [])];
  for (const app of assigning) {
    const found = app.assignments?.find((assignment) => isSameName(assignment.username, seed.username));
    if (found !== undefined) roles.set(app.clientId, found.roles);
  }
  const hasSecondFactor = seed.secondFactor !== 'none';
  const enabled = seed.enabled ?? true;
  return { seed, tenant, enabled, sessionEpoch: 0, roles, hasSecondFactor, wrongPasswords: 0 };
}

function createApp(seed: AppSeed, tenant: Tenant): App {
  return {
    seed,
    tenant,
    home: tenant,
    servicePrincipalId: seed.servicePrincipalId,
    isInstalled: true,
    applicationGrants: new Map((seed.applicationGrants ?? []).map((each) => [each.clientId, each.roles])),
    redirectUris: [...seed.redirectUris],
    certificates: [...(seed.certificates ?? [])],
    federatedCredentials: [...(seed.federatedCredentials ?? [])],
  };
}

/** By GUID or verified domain. @throws AADSTS90002 */
export function findTenant(directory: Directory, segment: string): Tenant {
  const wanted = segment.toLowerCase();
  const found = directory.tenants.find(
    (each) => each.seed.tenantId === wanted || each.seed.domain === wanted,
  );
  if (found === undefined) throw new AadstsError(90002, { tenant: segment });
  return found;
}

/**
 * The app behind a client id at this authority. A multi-tenant app of another tenant is found too, installed or not.
 *
 * @throws AADSTS90002, 700016, 50194, 7000112
 */
export function findApp(directory: Directory, segment: string, clientId: string): App {
  const app = isAlias(segment)
    ? findHomeApp(directory, clientId)
    : findAppIn(directory, findTenant(directory, segment), clientId);
  if (app === undefined) throw new AadstsError(700016, { clientId, tenant: segment });
  const names = { clientId, appName: app.seed.displayName };
  if (isAlias(segment) && !app.seed.multiTenant) throw new AadstsError(50194, names);
  if (app.seed.enabled === false) throw new AadstsError(7000112, names);
  return app;
}

/** The tenant's own app, or its face of another tenant's multi-tenant one. */
export function findAppIn(directory: Directory, tenant: Tenant, clientId: string): App | undefined {
  const wanted = clientId.toLowerCase();
  const own = tenant.apps.find((each) => each.seed.clientId === wanted);
  if (own !== undefined) return own;
  const home = findMultiTenantApp(directory, wanted);
  if (home === undefined) return undefined;
  const brought = bringApp(home, tenant);
  tenant.apps.push(brought);
  return brought;
}

function findHomeApp(directory: Directory, clientId: string): App | undefined {
  const wanted = clientId.toLowerCase();
  const isAtHome = (app: App) => app.seed.clientId === wanted && app.home === app.tenant;
  return directory.tenants.flatMap((tenant) => tenant.apps).find(isAtHome);
}

function findMultiTenantApp(directory: Directory, clientId: string): App | undefined {
  const home = findHomeApp(directory, clientId);
  return home?.seed.multiTenant ? home : undefined;
}

function bringApp(home: App, tenant: Tenant): App {
  const hash = createHash('sha256').update(`${tenant.seed.tenantId}|${home.seed.clientId}`).digest('hex');
  const servicePrincipalId = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
  return { ...home, tenant, servicePrincipalId, isInstalled: false, applicationGrants: new Map() };
}

/** The same person in another tenant: at home, or as a guest there. */
export function findAccountIn(tenant: Tenant, user: User): User | undefined {
  if (user.tenant === tenant) return user;
  const home = homeAccount(user);
  return tenant.users.find((each) => {
    const other = homeAccount(each);
    return other.objectId === home.objectId && other.tenantId === home.tenantId;
  });
}

/** Where the account belongs: a guest's is elsewhere. */
export function homeAccount(user: User): { readonly tenantId: string; readonly objectId: string } {
  return user.seed.guestFrom ?? { tenantId: user.tenant.seed.tenantId, objectId: user.seed.objectId };
}

/** By sign-in name, user principal name or mail; case does not matter. */
export function findUser(tenants: readonly Tenant[], name: string): User | undefined {
  return findAmong(
    tenants.flatMap((tenant) => tenant.users),
    name,
  );
}

export function findAmong(users: readonly User[], name: string): User | undefined {
  return users.find((user) =>
    [user.seed.username, userPrincipalName(user), user.seed.mail ?? ''].some((each) =>
      isSameName(each, name),
    ),
  );
}

/** A guest's user principal name is made of the name it has at home. */
export function userPrincipalName(user: User): string {
  return user.seed.guestFrom === undefined
    ? user.seed.username
    : `${user.seed.username.replace('@', '_')}#EXT#@${user.tenant.seed.domain}`;
}

/** Everything signed in so far is dead: grants, browser sessions, and at Graph the tokens of clients that understand it. */
export function revokeUserSessions(user: User, nowMs: number): void {
  user.sessionEpoch += 1;
  user.sessionsValidFromMs = nowMs;
}

/** Takes the person out of the tenant, as a soft delete does: nobody finds them by name, and what they hold is dead. */
export function removeUser(user: User, nowMs: number): void {
  user.enabled = false;
  revokeUserSessions(user, nowMs);
  const index = user.tenant.users.indexOf(user);
  if (index >= 0) user.tenant.users.splice(index, 1);
}

/** Where this redirect URI is registered. @throws AADSTS500113 when there is none at all, AADSTS50011 when it is another. */
export function findPlatform(app: App, redirectUri: string): Platform {
  const { clientId } = app.seed;
  if (app.redirectUris.length === 0) throw new AadstsError(500113, { clientId });
  const found = app.redirectUris.find((registered) => isRedirectUriRegistered(registered.uri, redirectUri));
  if (found === undefined) throw new AadstsError(50011, { redirectUri, clientId });
  return found.platform;
}

export function isSameName(one: string, other: string): boolean {
  return one !== '' && one.toLowerCase() === other.toLowerCase();
}
