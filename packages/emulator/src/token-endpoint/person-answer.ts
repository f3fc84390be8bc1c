/** The answer of the grants that stand for a person: access token, and id and refresh token when they were asked for. */
import type { App, User } from '../directory.ts';
import { AadstsError } from '../errors.ts';
import { accessTokenSeconds, type Realm } from '../realm.ts';
import {
  grantedValues,
  parseScopes,
  type ResourceRequest,
  type ScopeRequest,
  singleResource,
} from '../scopes.ts';
import type { Platform } from '../seed.ts';
import { createClientInfo, createIdToken, createUserAccessToken } from '../tokens.ts';
import type { GrantRequest } from './grant-request.ts';

interface PersonalGrant {
  readonly user: User;
  readonly client: App;
  readonly platform: Platform;
  readonly grantedScope: string;
  readonly grantedResource?: string;
  readonly sessionEpoch: number;
  readonly sessionId: string;
  readonly authTimeMs: number;
  readonly nonce?: string;
  readonly clientInfo: boolean;
  readonly isCode: boolean;
  /** The end of the grant that is being used: a single-page app's refresh token inherits it. */
  readonly expiresAtMs: number;
}

const DAY_MS = 86_400_000;

/** @throws AADSTS70011, 28000, 500011, 650053, 9010010, 90009 */
export async function issueToPerson(
  realm: Realm,
  request: GrantRequest,
  grant: PersonalGrant,
): Promise<Record<string, unknown>> {
  const scopes = readScopes(request, grant);
  const resource = singleResource(request.app.tenant, scopes);
  if (!grant.isCode) checkSelfToken(request.app, resource);
  const values = scopeValues(request.app, scopes, resource);
  const lifetimeSeconds = accessTokenSeconds(realm);
  const idToken = scopes.oidc.has('openid')
    ? { id_token: await createIdToken(realm, grant, scopes.oidc, grant.nonce) }
    : {};
  return {
    token_type: 'Bearer',
    scope: echoScope(scopes, resource, values),
    expires_in: lifetimeSeconds,
    ext_expires_in: lifetimeSeconds,
    access_token: await createUserAccessToken(realm, grant, resource, values, request.proof, lifetimeSeconds),
    ...(scopes.oidc.has('offline_access') ? { refresh_token: addRefreshToken(realm, request, grant) } : {}),
    ...idToken,
    ...(grant.clientInfo ? { client_info: createClientInfo(grant.user) } : {}),
  };
}

/** What this request asks for, or what was granted when it asks for nothing; several granted resources give the first. */
function readScopes(request: GrantRequest, grant: PersonalGrant): ScopeRequest {
  const { form, app, version } = request;
  const asked = version === 1 ? readV1Scope(form) : form.get('scope');
  const resource = version === 1 ? undefined : (form.get('resource') ?? undefined);
  if (asked !== null) return parseScopes(app.tenant, app, asked, resource);
  const granted = parseScopes(app.tenant, app, grant.grantedScope, resource ?? grant.grantedResource);
  const [first] = granted.resources;
  if (first === undefined || granted.resources.length === 1) return granted;
  const words = granted.words.filter((word) => granted.oidc.has(word) || belongsTo(app, word, first));
  return { words, oidc: granted.oidc, resources: [first] };
}

function belongsTo(app: App, word: string, resource: ResourceRequest): boolean {
  return parseScopes(app.tenant, app, word, undefined).resources[0]?.app === resource.app;
}

function readV1Scope(form: URLSearchParams): string | null {
  const resource = form.get('resource');
  return resource === null ? null : `openid profile offline_access ${resource}/.default`;
}

/** An app may ask for a token for itself only by its GUID; the App ID URI works at sign-in and dies at the first refresh. */
function checkSelfToken(client: App, resource: ResourceRequest): void {
  const { clientId, displayName } = client.seed;
  if (resource.app !== client || resource.name.toLowerCase() === clientId) return;
  throw new AadstsError(90009, { clientId, appName: displayName });
}

/** Graph's tokens list the OpenID scopes among their own; other resources never see them. */
function scopeValues(client: App, scopes: ScopeRequest, resource: ResourceRequest): readonly string[] {
  const values = grantedValues(client, resource);
  if (resource.app.seed.accessTokenVersion === 2 || resource.values.includes('.default')) return values;
  const oidc = [...scopes.oidc].filter((scope) => scope !== 'offline_access');
  return [...new Set([...values, ...oidc])];
}

/** In the requested spelling: MSAL never finds a token again whose scope came back in another one. */
function echoScope(scopes: ScopeRequest, resource: ResourceRequest, values: readonly string[]): string {
  const requested = scopes.words.filter((word) => word !== 'offline_access');
  if (!resource.values.includes('.default') || resource.name === undefined) return requested.join(' ');
  const spelled = values.map((value) => `${resource.name}/${value}`);
  return [...new Set([...requested, ...spelled])].join(' ');
}

/** Ninety days, sliding; a single-page app gets 24 hours that no refresh prolongs. */
function addRefreshToken(realm: Realm, request: GrantRequest, grant: PersonalGrant): string {
  const fresh = realm.nowMs() + (grant.platform === 'spa' ? DAY_MS : 90 * DAY_MS);
  const expiresAtMs = grant.platform === 'spa' && !grant.isCode ? grant.expiresAtMs : fresh;
  const { user, platform, sessionEpoch, sessionId, authTimeMs } = grant;
  return realm.grants.refreshTokens.add({
    app: request.app,
    user,
    platform,
    sessionEpoch,
    sessionId,
    authTimeMs,
    expiresAtMs,
    scope: grant.grantedScope,
    ...(grant.grantedResource === undefined ? {} : { resource: grant.grantedResource }),
  });
}
