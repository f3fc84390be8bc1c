/** The answer of the grants that stand for a person: access token, and id and refresh token when they were asked for. */
import { randomInt } from 'node:crypto';
import { findMissingProof } from '../conditional-access.ts';
import { consentError, findMissingConsent, requestedPermissions } from '../consent.ts';
import type { App } from '../directory.ts';
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
import {
  createClientInfo,
  createIdToken,
  createUserAccessToken,
  isContinuous,
  type PersonGrant,
} from '../tokens.ts';
import type { GrantRequest } from './grant-request.ts';
import { lifetimeFields } from './lifetime-fields.ts';

export interface PersonalGrant extends PersonGrant {
  readonly platform: Platform;
  readonly grantedScope: string;
  readonly grantedResource?: string;
  readonly nonce?: string;
  /** Conditional Access answers on-behalf-of with `interaction_required`, where refresh gets `invalid_grant`. */
  readonly isOnBehalfOf?: true;
  readonly clientInfo: boolean;
  readonly isCode: boolean;
  /** The end of the grant that is being used: a single-page app's refresh token inherits it. */
  readonly expiresAtMs: number;
}

const DAY_MS = 86_400_000;

/** Continuous access evaluation: the token may live long, because the API is told when it must not. */
const CONTINUOUS_SECONDS = 24 * 3600;

/** @throws AADSTS70011, 28000, 500011, 650053, 9010010, 90009, 65001 and those of Conditional Access */
export async function issueToPerson(
  realm: Realm,
  request: GrantRequest,
  grant: PersonalGrant,
): Promise<Record<string, unknown>> {
  const scopes = readScopes(request, grant);
  const resource = singleResource(request.app.tenant, scopes);
  if (!grant.isCode) checkSelfToken(request.app, resource);
  checkAccess(realm, request, grant, resource);
  checkConsent(grant, scopes);
  const values = scopeValues(request.app, scopes, resource);
  const lifetimeSeconds = chooseLifetime(realm, grant, resource);
  const idToken = scopes.oidc.has('openid')
    ? { id_token: await createIdToken(realm, grant, scopes.oidc, grant.nonce, { version: request.version }) }
    : {};
  return {
    token_type: 'Bearer',
    scope: echoScope(scopes, resource, values),
    ...lifetimeFields(realm, request.version, lifetimeSeconds, resource.name),
    // Half of it: MSAL then refreshes while the old token still works.
    ...(lifetimeSeconds >= 7200 ? { refresh_in: Math.floor(lifetimeSeconds / 2) } : {}),
    access_token: await createUserAccessToken(realm, grant, resource, values, request.proof, lifetimeSeconds),
    ...(scopes.oidc.has('offline_access') ? { refresh_token: addRefreshToken(realm, request, grant) } : {}),
    ...idToken,
    ...(grant.clientInfo ? { client_info: createClientInfo(grant.user) } : {}),
  };
}

function checkAccess(
  realm: Realm,
  request: GrantRequest,
  grant: PersonalGrant,
  resource: ResourceRequest,
): void {
  const { user, client, claims } = grant;
  const nowMs = realm.nowMs();
  const missing = findMissingProof({ user, client, resources: [resource.app], claims, proof: grant, nowMs });
  if (missing === undefined) return;
  const { code, claims: challenge = '' } = missing.error;
  const details = { resource: resource.app.seed.clientId, state: user.seed.device ?? 'unregistered' };
  if (missing.remedy === 'signInAgain') throw new AadstsError(70043, details);
  const error = grant.isOnBehalfOf === true || missing.remedy === 'none' ? {} : { error: 'invalid_grant' };
  throw new AadstsError(code, details, { claims: challenge, ...error });
}

/** @throws AADSTS65001 */
function checkConsent(grant: PersonalGrant, scopes: ScopeRequest): void {
  const missing = findMissingConsent(grant.user, requestedPermissions(grant.client, scopes));
  if (missing.length > 0) throw consentError(grant.client);
}

function chooseLifetime(realm: Realm, { claims }: PersonalGrant, resource: ResourceRequest): number {
  // MSAL's users write CP1, Entra's documents cp1.
  const isLong =
    claims.capabilities.some((each) => each.toLowerCase() === 'cp1') && isContinuous(resource.app);
  if (!isLong || realm.settings.accessTokenLifetimeSeconds !== undefined) return accessTokenSeconds(realm);
  return CONTINUOUS_SECONDS + randomInt(4 * 3600);
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
  const { user, platform, sessionEpoch, sessionId, authTimeMs, hasMfa } = grant;
  return realm.grants.refreshTokens.add({
    app: request.app,
    user,
    platform,
    sessionEpoch,
    sessionId,
    authTimeMs,
    hasMfa,
    expiresAtMs,
    scope: grant.grantedScope,
    ...(grant.grantedResource === undefined ? {} : { resource: grant.grantedResource }),
  });
}
