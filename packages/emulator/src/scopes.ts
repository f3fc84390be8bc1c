/**
 * Room `scopes`: from the words of `scope` and `resource` to one resource and what was asked of it.
 * Knows the directory's apps; knows no person, no grant and no HTTP.
 */
import type { App, Tenant } from './directory.ts';
import { AadstsError } from './errors.ts';
import { GRAPH_CLIENT_ID } from './seed.ts';

const OIDC_SCOPES: ReadonlySet<string> = new Set(['openid', 'profile', 'email', 'offline_access']);

export interface ScopeRequest {
  /** The words as they came, for the echo: MSAL looks its cache up by them. */
  readonly words: readonly string[];
  readonly oidc: ReadonlySet<string>;
  /** One entry per resource named, in the order of naming. */
  readonly resources: readonly ResourceRequest[];
}

export interface ResourceRequest {
  readonly app: App;
  /** The resource as the request spelled it: `aud` of a v1 token. */
  readonly name: string;
  /** Scope values of that resource; `.default` among them when it was asked for. */
  readonly values: readonly string[];
}

/**
 * @param resource the RFC 8707 parameter. Entra compares it as a string with the App ID URIs and wants every scope to be
 *   of that same app (AADSTS9010010): a trailing slash is a different resource.
 * @throws AADSTS70011, 500011, 650053, 9010010
 */
export function parseScopes(
  tenant: Tenant,
  client: App,
  scope: string,
  resource: string | undefined,
): ScopeRequest {
  const words = scope.split(' ').filter((word) => word !== '');
  if (words.some((word) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(word)))
    throw new AadstsError(70011, { scope });
  const oidc = new Set(words.filter((word) => OIDC_SCOPES.has(word)));
  const resources = groupByResource(
    tenant,
    client,
    words.filter((word) => !oidc.has(word)),
  );
  if (resource === undefined) return { words, oidc, resources };
  return { words, oidc, resources: applyResource(tenant, resources, resource) };
}

/** A token is for one resource; with only OpenID scopes it is Graph's. @throws AADSTS28000 */
export function singleResource(tenant: Tenant, request: ScopeRequest): ResourceRequest {
  if (request.resources.length > 1) throw new AadstsError(28000, { scope: request.words.join(' ') });
  return request.resources[0] ?? { app: findGraph(tenant), name: 'https://graph.microsoft.com', values: [] };
}

/** The resource of a scope `<resource>/.default`, which is all client credentials may ask for. @throws AADSTS1002012 */
export function defaultScopeResource(tenant: Tenant, client: App, scope: string): ResourceRequest {
  const { resources, words } = parseScopes(tenant, client, scope, undefined);
  const [only] = resources;
  if (words.length !== 1 || only?.values[0] !== '.default') throw new AadstsError(1002012, { scope });
  return only;
}

/** What `/.default` stands for: the permissions configured on the client for that resource. */
export function grantedValues(client: App, resource: ResourceRequest): readonly string[] {
  const configured = client.seed.delegatedPermissions?.[resource.app.seed.clientId] ?? [];
  const isDefault = resource.values.includes('.default') || resource.values.length === 0;
  return isDefault
    ? [...new Set([...configured, ...resource.values.filter((value) => value !== '.default')])]
    : resource.values;
}

function groupByResource(tenant: Tenant, client: App, words: readonly string[]): readonly ResourceRequest[] {
  const groups = new Map<App, { name: string; values: string[] }>();
  for (const word of words) {
    const { app, name, value } = resolveScope(tenant, word);
    checkScopeExists(client, app, name, value);
    const group = groups.get(app) ?? { name, values: [] };
    group.values.push(value);
    groups.set(app, group);
  }
  return [...groups].map(([app, group]) => ({ app, ...group }));
}

/** A bare scope is one of Graph's: the trap behind most AADSTS650053. */
function resolveScope(tenant: Tenant, word: string): { app: App; name: string; value: string } {
  const slash = word.lastIndexOf('/');
  if (slash < 0) return { app: findGraph(tenant), name: 'https://graph.microsoft.com', value: word };
  const name = word.slice(0, slash);
  // `https://graph.microsoft.com//.default`: the URI that ends in a slash keeps it, and v1 tokens show it in `aud`.
  const app = findResource(tenant, name);
  if (app === undefined) throw new AadstsError(500011, { resource: name, tenant: tenant.seed.displayName });
  return { app, name, value: word.slice(slash + 1) };
}

function findResource(tenant: Tenant, name: string): App | undefined {
  const wanted = name.toLowerCase();
  return tenant.apps.find(
    (app) =>
      app.isInstalled &&
      (app.seed.clientId === wanted ||
        (app.seed.identifierUris ?? []).some((uri) => uri.toLowerCase() === wanted)),
  );
}

function findGraph(tenant: Tenant): App {
  const graph = findResource(tenant, GRAPH_CLIENT_ID);
  if (graph === undefined)
    throw new AadstsError(500011, { resource: GRAPH_CLIENT_ID, tenant: tenant.seed.displayName });
  return graph;
}

function checkScopeExists(client: App, app: App, name: string, value: string): void {
  const known = app.seed.scopes ?? [];
  if (value === '.default' || known.some((scope) => scope.toLowerCase() === value.toLowerCase())) return;
  throw new AadstsError(650053, { appName: client.seed.displayName, scope: value, resource: name });
}

/** AADSTS9010010 needs v2 tokens too: a v1 app never matches. OpenID scopes belong to nobody and do not disturb. */
function applyResource(
  tenant: Tenant,
  asked: readonly ResourceRequest[],
  resource: string,
): readonly ResourceRequest[] {
  const app = tenant.apps.find(
    (each) => each.isInstalled && (each.seed.identifierUris ?? []).includes(resource),
  );
  const isOthers = asked.some((each) => each.app !== app);
  if (app === undefined || app.seed.accessTokenVersion !== 2 || isOthers) throw new AadstsError(9010010);
  return asked.length > 0 ? asked : [{ app, name: resource, values: ['.default'] }];
}
