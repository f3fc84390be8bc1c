/**
 * Room `directory`: the tenants as they are now: the seed plus what the control plane has changed since.
 * Knows no HTTP. A name it cannot find is an AADSTS error, because every endpoint answers that the same way.
 */
import { AadstsError } from './errors.ts';
import { isRedirectUriRegistered } from './redirect-uri.ts';
import type {
  AppSeed,
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
}

export interface App {
  readonly seed: AppSeed;
  readonly tenant: Tenant;
  readonly redirectUris: RedirectUriSeed[];
  readonly certificates: string[];
  readonly federatedCredentials: FederatedCredential[];
}

export interface Tenant {
  readonly seed: TenantSeed;
  readonly users: User[];
  readonly apps: readonly App[];
}

export interface Directory {
  readonly tenants: readonly Tenant[];
}

/** The tenant part of an authority that stands for no tenant of its own. */
export function isAlias(segment: string): boolean {
  return ['common', 'organizations', 'consumers'].includes(segment.toLowerCase());
}

export function createDirectory(seed: Seed): Directory {
  return { tenants: seed.tenants.map(createTenant) };
}

function createTenant(seed: TenantSeed): Tenant {
  const users: User[] = [];
  const apps: App[] = [];
  const tenant: Tenant = { seed, users, apps };
  users.push(...seed.users.map((user) => createUser(user, tenant)));
  apps.push(...seed.apps.map((app) => createApp(app, tenant)));
  return tenant;
}

function createUser(seed: UserSeed, tenant: Tenant): User {
  const roles = new Map<string, readonly string[]>();
  for (const app of tenant.seed.apps) {
    const found = app.assignments?.find((assignment) => isSameName(assignment.username, seed.username));
    if (found !== undefined) roles.set(app.clientId, found.roles);
  }
  return { seed, tenant, enabled: seed.enabled ?? true, sessionEpoch: 0, roles };
}

function createApp(seed: AppSeed, tenant: Tenant): App {
  return {
    seed,
    tenant,
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

/** The app behind a client id at this authority. @throws AADSTS90002, 700016, 50194 */
export function findApp(directory: Directory, segment: string, clientId: string): App {
  const tenants = isAlias(segment) ? directory.tenants : [findTenant(directory, segment)];
  const wanted = clientId.toLowerCase();
  const app = tenants.flatMap((tenant) => tenant.apps).find((each) => each.seed.clientId === wanted);
  if (app === undefined) throw new AadstsError(700016, { clientId, tenant: segment });
  if (isAlias(segment) && !app.seed.multiTenant)
    throw new AadstsError(50194, { clientId, appName: app.seed.displayName });
  return app;
}

/** By sign-in name, user principal name or mail; case does not matter. */
export function findUser(tenants: readonly Tenant[], name: string): User | undefined {
  return tenants
    .flatMap((tenant) => tenant.users)
    .find((user) =>
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
