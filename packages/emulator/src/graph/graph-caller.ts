/** Who calls Graph: the token, the person and the app behind it, and whether they may. Knows no resource of Graph. */
import type { JWTPayload } from 'jose';
import type { Tenant, User } from '../directory.ts';
import { raiseItemFault, raisePersonalFault } from '../faults.ts';
import type { Realm } from '../realm.ts';
import type { EmulatorRequest } from '../request.ts';
import { readSessionEpoch, verifyGraphToken } from '../tokens.ts';
import { badRequest, denied, invalidToken, throttled } from './graph-error.ts';

const INVALID_TOKEN = 'Access token validation failure. Invalid audience, signature or lifetime.';
const ONLY_DELEGATED = '/me request is only valid with delegated authentication flow.';
const REVOKED =
  'Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp';

export interface Caller {
  readonly tenant: Tenant;
  /** Absent for an app by itself. */
  readonly user?: User;
  /** `scp` of a person's token, `roles` of an app's. */
  readonly permissions: ReadonlySet<string>;
  readonly clientId: string;
}

/**
 * Alternatives of which one is enough; an alternative with `+` needs each of its parts. An app by itself holds application
 * permissions, which have the same names.
 */
export interface Permissions {
  /** For the person's own object. */
  readonly own?: readonly string[];
  readonly delegated: readonly string[];
  readonly application: readonly string[];
  /** A person needs a directory role besides the scope: a token alone makes nobody an administrator. */
  readonly adminOnly?: true;
}

/** @throws GraphError 401 (no token, not for Graph, revoked with claims), 429 over budget; AadstsError for a planned fault */
export async function admit(realm: Realm, request: EmulatorRequest): Promise<Caller> {
  raiseItemFault(realm.faults, { endpoint: 'graph' });
  const token = /^bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw invalidToken('Access token is empty.');
  const claims = await verifyGraphToken(realm, token).catch(() => undefined);
  const tenant = realm.directory.tenants.find((each) => each.seed.tenantId === claims?.['tid']);
  if (claims === undefined || tenant === undefined) throw invalidToken(INVALID_TOKEN);
  const caller = readCaller(realm, tenant, claims);
  const { clientId, user } = caller;
  raiseItemFault(realm.faults, { endpoint: 'graph', clientId });
  if (user !== undefined)
    raisePersonalFault(realm.faults, { endpoint: 'graph', clientId, username: user.seed.username });
  spendBudget(realm, caller);
  return caller;
}

function readCaller(realm: Realm, tenant: Tenant, claims: JWTPayload): Caller {
  const clientId = String(claims['appid']);
  const { scp, roles, oid } = claims;
  if (typeof scp !== 'string') {
    const permissions = new Set(Array.isArray(roles) ? roles.map(String) : []);
    return { tenant, permissions, clientId };
  }
  const user = tenant.users.find((each) => each.seed.objectId === oid);
  if (user === undefined) throw invalidToken(INVALID_TOKEN);
  checkContinuousAccess(realm, user, claims);
  if (!user.enabled) throw invalidToken(INVALID_TOKEN);
  return { tenant, user, permissions: new Set(scp.split(' ')), clientId };
}

/**
 * Only a client that says it understands a challenge (`xms_cc` = `cp1`) gets one. For every other client a token is good
 * until it expires, whatever was revoked: that is why its life is short.
 */
function checkContinuousAccess(realm: Realm, user: User, claims: JWTPayload): void {
  const capabilities = claims['xms_cc'];
  // MSAL's users write CP1, Entra's documents cp1.
  const isContinuous =
    Array.isArray(capabilities) && capabilities.some((each) => String(each).toLowerCase() === 'cp1');
  if (!isContinuous) return;
  if (user.enabled && readSessionEpoch(claims) >= user.sessionEpoch) return;
  const validFromMs = user.sessionsValidFromMs ?? realm.nowMs();
  const nbf = { essential: true, value: String(Math.floor(validFromMs / 1000)) };
  throw invalidToken(REVOKED, { claims: JSON.stringify({ access_token: { nbf } }) });
}

/** Graph counts per app and tenant. Requests that were refused count too: hammering prolongs the wait. */
function spendBudget(realm: Realm, caller: Caller): void {
  const retryAfterSeconds = realm.graph.spend(
    `${caller.tenant.seed.tenantId}|${caller.clientId}`,
    realm.settings.graphBudget,
    realm.nowMs(),
  );
  if (retryAfterSeconds !== undefined) throw throttled(retryAfterSeconds);
}

/** @throws GraphError 400 for an app by itself, as `/me` has it */
export function requirePerson(caller: Caller): User {
  if (caller.user === undefined) throw badRequest(ONLY_DELEGATED, 'BadRequest');
  return caller.user;
}

/** @param subject the person the request is about, when it is about one. @throws GraphError 403 */
export function checkPermissions(caller: Caller, wanted: Permissions, subject?: User): void {
  if (!hasPermissions(caller, wanted, subject)) throw denied();
}

export function hasPermissions(caller: Caller, wanted: Permissions, subject?: User): boolean {
  const holds = (alternatives: readonly string[]) =>
    alternatives.some((each) => each.split('+').every((part) => caller.permissions.has(part)));
  if (caller.user === undefined) return holds(wanted.application);
  if (wanted.own !== undefined && subject === caller.user && holds(wanted.own)) return true;
  if (wanted.adminOnly && !isAdministrator(caller.user)) return false;
  return holds(wanted.delegated);
}

function isAdministrator(user: User): boolean {
  return user.seed.isAdmin === true || (user.seed.directoryRoles ?? []).length > 0;
}
