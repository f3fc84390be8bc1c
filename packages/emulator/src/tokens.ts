/**
 * Room `tokens`: the claims of id and access tokens, v1 and v2, as Entra shapes them.
 * Judges nothing: whoever calls has already decided that this token is due.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { type JWTPayload, jwtVerify } from 'jose';
import type { ClaimsRequest } from './claims-request.ts';
import { type App, homeAccount, type User, userPrincipalName } from './directory.ts';
import type { SignInProof } from './grants.ts';
import { issuerV1, issuerV2, nowSeconds, type Realm } from './realm.ts';
import type { ResourceRequest } from './scopes.ts';
import { GRAPH_CLIENT_ID, GRAPH_URI, type OptionalClaim } from './seed.ts';

/** How the client proved itself: `azpacr`. */
export type ClientProof = 'none' | 'secret' | 'assertion';

/** Entra dates its tokens five minutes back, so that a slow clock does not refuse them. */
const BACKDATED_SECONDS = 300;
const ID_TOKEN_SECONDS = 3600;
const MAX_GROUPS = 200;
/** Role templates of the directory, the same in every tenant. */
const GLOBAL_ADMINISTRATOR = '62e90394-69f5-4237-9190-012177145e10';
const DEFAULT_MEMBER = 'b79fbf4d-3ef9-4689-8143-76b194e85509';

export interface PersonGrant extends SignInProof {
  readonly user: User;
  readonly client: App;
  readonly claims: ClaimsRequest;
}

/**
 * An id token for the client: its `roles` are the app roles of the client's own app.
 *
 * @param oidc the OpenID scopes asked for: without `profile` there is no name, and no `oid`.
 * @param options `version` of the endpoint that issues it decides its form; `more` joins it (`c_hash`, `at_hash`).
 */
export async function createIdToken(
  realm: Realm,
  grant: PersonGrant,
  oidc: ReadonlySet<string>,
  nonce: string | undefined,
  options: { readonly version?: 1 | 2; readonly more?: Readonly<Record<string, unknown>> } = {},
): Promise<string> {
  const { user, client } = grant;
  const { version = 2, more = {} } = options;
  const { tenantId } = user.tenant.seed;
  const now = nowSeconds(realm);
  return realm.keys.sign({
    aud: client.seed.clientId,
    iss: version === 2 ? issuerV2(realm, tenantId) : issuerV1(realm, tenantId),
    iat: now - BACKDATED_SECONDS,
    nbf: now - BACKDATED_SECONDS,
    exp: now + ID_TOKEN_SECONDS,
    ...(nonce === undefined ? {} : { nonce }),
    ...withoutProfile(personClaims(user, client), oidc),
    ...(version === 1 ? v1PersonClaims(grant) : {}),
    ...roleClaims(user, client),
    ...groupClaims(user, client),
    ...emailClaim(user, oidc),
    ...optionalClaims(grant, client.seed.optionalClaims?.idToken),
    ...more,
    sid: grant.sessionId,
    uti: uniqueTokenId(),
    ver: version === 2 ? '2.0' : '1.0',
  });
}

/** An access token of a person: the resource's setting decides its format, not the endpoint. */
export async function createUserAccessToken(
  realm: Realm,
  grant: PersonGrant,
  resource: ResourceRequest,
  scopeValues: readonly string[],
  proof: ClientProof,
  lifetimeSeconds: number,
): Promise<string> {
  const { user, client, sessionId, sessionEpoch, authTimeMs, hasMfa, claims } = grant;
  const times = timeClaims(realm, lifetimeSeconds, user.sessionEpoch);
  realm.grants.issued.set(times.uti, { user, sessionId, sessionEpoch, authTimeMs, hasMfa });
  const { contexts, capabilities } = claims;
  return signAccessToken(realm, client, resource, proof, {
    ...times,
    ...personClaims(user, resource.app),
    ...roleClaims(user, resource.app),
    ...groupClaims(user, resource.app),
    scp: scopeValues.join(' '),
    sid: sessionId,
    ...(contexts.length === 0 ? {} : { acrs: contexts }),
    ...(isContinuous(resource.app) && capabilities.length > 0 ? { xms_cc: capabilities } : {}),
    ...agentClaims(client, user.seed.isAgent ? '13' : undefined),
    ...(resource.app.seed.accessTokenVersion === 1 ? v1PersonClaims(grant) : {}),
    ...(isGraph(resource.app) ? { wids: directoryRoles(user) } : {}),
    ...optionalClaims(grant, resource.app.seed.optionalClaims?.accessToken),
  });
}

/** An access token of an app by itself: no `scp`, and `sub` = `oid` = its service principal. */
export async function createAppAccessToken(
  realm: Realm,
  client: App,
  resource: ResourceRequest,
  proof: ClientProof,
  lifetimeSeconds: number,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const roles = resource.app.applicationGrants.get(client.seed.clientId) ?? [];
  const asksForType = resource.app.seed.idtypClaim || findOptional(resource.app, 'idtyp') !== undefined;
  return signAccessToken(realm, client, resource, proof, {
    ...timeClaims(realm, lifetimeSeconds),
    oid: client.servicePrincipalId,
    sub: client.servicePrincipalId,
    tid: client.tenant.seed.tenantId,
    ...(roles.length === 0 ? {} : { roles }),
    ...(asksForType || isGraph(resource.app) ? { idtyp: 'app' } : {}),
    ...agentClaims(client, '11'),
    ...more,
  });
}

/** An API that understands claims challenges: Graph, and whoever asks for the optional claim `xms_cc`. */
export function isContinuous(resource: App): boolean {
  return isGraph(resource) || findOptional(resource, 'xms_cc') !== undefined;
}

/** `sub`: another app sees another one. */
export function pairwiseSubject(user: User, clientId: string): string {
  const text = `${user.tenant.seed.tenantId}|${user.seed.objectId}|${clientId}`;
  return createHash('sha256').update(text).digest('base64url');
}

/** The optional claim `login_hint`: an opaque name of the account, good for `login_hint` and `logout_hint`. */
export function createLoginHint(user: User): string {
  return `O.${Buffer.from(`${user.seed.objectId}.${user.tenant.seed.tenantId}`).toString('base64url')}`;
}

function findOptional(resource: App, name: string): OptionalClaim | undefined {
  return resource.seed.optionalClaims?.accessToken?.find((claim) => claim.name === name);
}

/** Graph's tokens say the directory roles; everybody has at least the one of a member. */
function directoryRoles({ seed }: User): readonly string[] {
  const roles = (seed.directoryRoles ?? []).map((role) => role.roleTemplateId);
  return [...roles, ...(seed.isAdmin ? [GLOBAL_ADMINISTRATOR] : []), DEFAULT_MEMBER];
}

/** Those of the manifest's `optionalClaims` that say something about a person. */
function optionalClaims(
  grant: PersonGrant,
  wanted: readonly OptionalClaim[] = [],
): Readonly<Record<string, unknown>> {
  const { user, authTimeMs } = grant;
  const { seed } = user;
  const isGuest = seed.guestFrom !== undefined;
  const known: Readonly<Record<string, unknown>> = {
    acct: isGuest ? 1 : 0,
    auth_time: Math.floor(authTimeMs / 1000),
    email: seed.mail,
    family_name: seed.surname,
    given_name: seed.givenName,
    idtyp: 'user',
    ipaddr: '127.0.0.1',
    login_hint: createLoginHint(user),
    sid: grant.sessionId,
    upn: isGuest ? guestPrincipalName(user, wanted) : userPrincipalName(user),
    xms_idrel: isGuest ? '5' : '1',
    xms_tdbr: 'EU',
  };
  const claims = wanted.map(({ name }) => [name, known[name]] as const);
  return Object.fromEntries(claims.filter(([, value]) => value !== undefined));
}

/** Of a guest only when the manifest insists: `include_externally_authenticated_upn`. */
function guestPrincipalName(user: User, wanted: readonly OptionalClaim[]): string | undefined {
  const properties = wanted.find((claim) => claim.name === 'upn')?.additionalProperties ?? [];
  if (properties.includes('include_externally_authenticated_upn')) return userPrincipalName(user);
  const withoutHash = properties.includes('include_externally_authenticated_upn_without_hash');
  return withoutHash ? userPrincipalName(user).replaceAll('#', '_') : undefined;
}

/** @param subject the facet of the subject: 11 an agent identity, 13 an agent's user */
function agentClaims(client: App, subject: '11' | '13' | undefined): Readonly<Record<string, unknown>> {
  const { agentIdentity } = client.seed;
  if (agentIdentity === undefined) return {};
  return {
    xms_act_fct: '11',
    ...(subject === undefined ? {} : { xms_sub_fct: subject }),
    xms_par_app_azp: agentIdentity.blueprintClientId,
    xms_idrel: subject === '11' ? '7' : '1',
  };
}

function signAccessToken(
  realm: Realm,
  client: App,
  resource: ResourceRequest,
  proof: ClientProof,
  claims: Record<string, unknown>,
): Promise<string> {
  const { tenantId } = client.tenant.seed;
  const acr = { none: '0', secret: '1', assertion: '2' }[proof];
  const { clientId } = client.seed;
  if (resource.app.seed.accessTokenVersion === 2) {
    const shape = {
      aud: resource.app.seed.clientId,
      iss: issuerV2(realm, tenantId),
      azp: clientId,
      azpacr: acr,
      ver: '2.0',
    };
    return realm.keys.sign({ ...shape, ...claims });
  }
  const byGuid = findOptional(resource.app, 'aud')?.additionalProperties?.includes('use_guid') === true;
  const shape = {
    aud: byGuid ? resource.app.seed.clientId : resource.name,
    iss: issuerV1(realm, tenantId),
    appid: clientId,
    appidacr: acr,
    ver: '1.0',
  };
  const payload = { ...shape, app_displayname: client.seed.displayName, ...claims };
  return isGraph(resource.app) ? signForGraph(realm, payload) : realm.keys.sign(payload);
}

function timeClaims(
  realm: Realm,
  lifetimeSeconds: number,
  sessionEpoch = 0,
): { uti: string } & Record<string, unknown> {
  const now = nowSeconds(realm);
  return {
    iat: now - BACKDATED_SECONDS,
    nbf: now - BACKDATED_SECONDS,
    exp: now + lifetimeSeconds,
    aio: createOpaqueClaim(sessionEpoch),
    rh: `1.${randomUUID().replaceAll('-', '')}.`,
    uti: uniqueTokenId(),
  };
}

/**
 * `aio` is Entra's own note to itself, opaque to everybody. Here it holds the session's epoch, so that Graph knows a
 * revoked token without the emulator having to remember each one.
 */
function createOpaqueClaim(sessionEpoch: number): string {
  const bytes = randomBytes(32);
  bytes.writeUInt32BE((bytes.readUInt32BE(0) ^ sessionEpoch) >>> 0, 28);
  return bytes.toString('base64url');
}

/** The epoch of the session an access token was issued in. */
export function readSessionEpoch(claims: JWTPayload): number {
  const bytes = Buffer.from(String(claims['aio']), 'base64url');
  return bytes.length === 32 ? (bytes.readUInt32BE(28) ^ bytes.readUInt32BE(0)) >>> 0 : 0;
}

/** `sub` is pairwise: another app sees another one. `oid` is the same for all apps of the tenant. */
function personClaims(user: User, audience: App): Record<string, unknown> {
  return {
    name: user.seed.displayName,
    oid: user.seed.objectId,
    preferred_username: user.seed.username,
    sub: pairwiseSubject(user, audience.seed.clientId),
    tid: user.tenant.seed.tenantId,
    // A guest is known by the tenant it comes from; the host is Entra's v1 issuer, whatever cloud the emulator plays.
    ...(user.seed.guestFrom === undefined
      ? {}
      : { idp: `https://sts.windows.net/${user.seed.guestFrom.tenantId}/` }),
  };
}

function withoutProfile(claims: Record<string, unknown>, oidc: ReadonlySet<string>): Record<string, unknown> {
  if (oidc.has('profile')) return claims;
  const { name: _name, oid: _oid, preferred_username: _username, ...rest } = claims;
  return rest;
}

/** Members show it only to whoever asked; of a guest Entra always tells it. */
function emailClaim(user: User, oidc: ReadonlySet<string>): Record<string, unknown> {
  const isShown = oidc.has('email') || user.seed.guestFrom !== undefined;
  return isShown && user.seed.mail !== undefined ? { email: user.seed.mail } : {};
}

function v1PersonClaims({ user, hasMfa }: PersonGrant): Record<string, unknown> {
  return {
    amr: hasMfa ? ['pwd', 'mfa'] : ['pwd'],
    acr: '1',
    family_name: user.seed.surname,
    given_name: user.seed.givenName,
    ipaddr: '127.0.0.1',
    unique_name: user.seed.username,
    ...(user.seed.guestFrom === undefined ? { upn: userPrincipalName(user) } : { email: user.seed.mail }),
  };
}

function roleClaims(user: User, app: App): Record<string, unknown> {
  const roles = user.roles.get(app.seed.clientId) ?? [];
  return roles.length === 0 ? {} : { roles };
}

/** Above 200 groups a token only says where to ask. The address is the retired one Entra still writes: nobody may follow it. */
function groupClaims(user: User, app: App): Record<string, unknown> {
  const groups = user.seed.groups ?? [];
  if (!app.seed.groupClaims || groups.length === 0) return {};
  if (groups.length <= MAX_GROUPS) return { groups };
  const endpoint = `https://graph.windows.net/${user.tenant.seed.tenantId}/users/${user.seed.objectId}/getMemberObjects`;
  return { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint } } };
}

function isGraph(app: App): boolean {
  return app.seed.clientId === GRAPH_CLIENT_ID;
}

function uniqueTokenId(): string {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
}

/**
 * Graph's tokens are opaque to everybody else, and Entra makes sure: the signature covers the hash of the `nonce` the
 * header shows. Whoever verifies such a token as an ordinary JWT fails, here as there.
 */
export async function signForGraph(realm: Realm, claims: Record<string, unknown>): Promise<string> {
  const nonce = uniqueTokenId();
  const signed = await realm.keys.sign(claims, { nonce: hashNonce(nonce) });
  return swapNonce(signed, () => nonce);
}

/** What only Graph can do with its token. @throws when it is not a token for Graph, or not valid now. */
export async function verifyGraphToken(realm: Realm, token: string): Promise<JWTPayload> {
  const options = {
    audience: [GRAPH_URI, `${GRAPH_URI}/`, GRAPH_CLIENT_ID],
    currentDate: new Date(realm.nowMs()),
  };
  const { payload } = await jwtVerify(swapNonce(token, hashNonce), realm.keys.find, options);
  return payload;
}

function swapNonce(token: string, change: (nonce: string) => string): string {
  const [header = '', ...rest] = token.split('.');
  const parsed = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
  const swapped = { ...parsed, nonce: change(String(parsed['nonce'])) };
  return [Buffer.from(JSON.stringify(swapped)).toString('base64url'), ...rest].join('.');
}

function hashNonce(nonce: string): string {
  return createHash('sha256').update(nonce).digest('base64url');
}

/** MSAL's account key: base64url of the home object id and tenant. */
export function createClientInfo(user: User): string {
  const { objectId, tenantId } = homeAccount(user);
  return Buffer.from(JSON.stringify({ uid: objectId, utid: tenantId })).toString('base64url');
}
