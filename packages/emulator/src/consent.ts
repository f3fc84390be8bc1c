/**
 * Room `consent`: what an app still has to be allowed, and by whom. An app whose seed does not ask for consent has
 * everything; that is what a test of something else wants.
 */
import type { App, Tenant, User } from './directory.ts';
import { AadstsError } from './errors.ts';
import type { ScopeRequest } from './scopes.ts';
import { GRAPH_CLIENT_ID } from './seed.ts';

/** One line of the consent page. */
export interface Permission {
  readonly client: App;
  readonly resource: App;
  readonly scope: string;
}

/** What a request asks for, as permissions: the OpenID scopes are Graph's, and `/.default` is all that is configured. */
export function requestedPermissions(client: App, scopes: ScopeRequest): readonly Permission[] {
  const graph = findApp(client.tenant, GRAPH_CLIENT_ID);
  const oidc =
    graph === undefined ? [] : [...scopes.oidc].map((scope) => ({ client, resource: graph, scope }));
  const others = scopes.resources.flatMap(({ app, values }) =>
    values
      .flatMap((value) => (value === '.default' ? configuredScopes(client, app) : [value]))
      .map((scope) => ({ client, resource: app, scope })),
  );
  return withoutRepeats([...oidc, ...others, ...configuredByKnownApis(client, others)]);
}

/** Those nobody has allowed yet. */
export function findMissingConsent(user: User, permissions: readonly Permission[]): readonly Permission[] {
  return permissions.filter(
    (each) => each.client.seed.consent === 'required' && !isPreAuthorized(each) && !isConsented(user, each),
  );
}

/** Whether this person may allow them: some are for administrators, and some tenants leave none to their people. */
export function mayConsent(client: App, user: User, permissions: readonly Permission[]): boolean {
  if (user.seed.isAdmin || permissions.length === 0) return true;
  const isForAdmins = permissions.some(({ resource, scope }) => resource.seed.adminScopes?.includes(scope));
  return (client.tenant.seed.userConsent ?? 'allowed') === 'allowed' && !isForAdmins;
}

/** @param principal the person's object id, or `all` when an administrator consents for the tenant */
export function addConsent(client: App, principal: string, permissions: readonly Permission[]): void {
  client.isInstalled = true;
  for (const each of permissions) {
    const clientId = each.client.seed.clientId;
    const resourceClientId = each.resource.seed.clientId;
    client.tenant.consents.push({ clientId, resourceClientId, scope: each.scope, principal });
  }
}

/** Everything configured on the client, delegated and application permissions: what `/adminconsent` is about. */
export function addAdminConsent(client: App, permissions: readonly Permission[]): void {
  addConsent(client, 'all', permissions);
  for (const [resourceId, roles] of Object.entries(client.seed.applicationPermissions ?? {})) {
    findApp(client.tenant, resourceId)?.applicationGrants.set(client.seed.clientId, roles);
  }
}

export function configuredPermissions(client: App): readonly Permission[] {
  return Object.entries(client.seed.delegatedPermissions ?? {}).flatMap(([resourceId, scopes]) => {
    const resource = findApp(client.tenant, resourceId);
    return resource === undefined ? [] : scopes.map((scope) => ({ client, resource, scope }));
  });
}

/** The words of AADSTS65001, wherever no page can be shown. */
export function consentError(client: App, extras: { readonly error?: string } = {}): AadstsError {
  const { clientId, displayName } = client.seed;
  return new AadstsError(65001, { clientId, appName: displayName }, extras);
}

function configuredScopes(client: App, resource: App): readonly string[] {
  return client.seed.delegatedPermissions?.[resource.seed.clientId] ?? [];
}

/** An API that knows this client lets its own needs be consented along with the client's. */
function configuredByKnownApis(client: App, asked: readonly Permission[]): readonly Permission[] {
  const apis = new Set(asked.map((each) => each.resource));
  const knowing = [...apis].filter((api) => api.seed.knownClientApplications?.includes(client.seed.clientId));
  return knowing.flatMap(configuredPermissions);
}

function isPreAuthorized({ client, resource, scope }: Permission): boolean {
  const listed = resource.seed.preAuthorizedApplications ?? [];
  return listed.some((each) => each.clientId === client.seed.clientId && each.scopes.includes(scope));
}

function isConsented(user: User, { client, resource, scope }: Permission): boolean {
  return client.tenant.consents.some(
    (consent) =>
      consent.clientId === client.seed.clientId &&
      consent.resourceClientId === resource.seed.clientId &&
      consent.scope === scope &&
      (consent.principal === 'all' || consent.principal === user.seed.objectId),
  );
}

function withoutRepeats(permissions: readonly Permission[]): readonly Permission[] {
  const isFirst = (each: Permission, index: number) =>
    permissions.findIndex(
      (other) =>
        other.client === each.client && other.resource === each.resource && other.scope === each.scope,
    ) === index;
  return permissions.filter(isFirst);
}

function findApp(tenant: Tenant, clientId: string): App | undefined {
  return tenant.apps.find((app) => app.seed.clientId === clientId && app.isInstalled);
}
