/**
 * Room `sign-in`: what stands between a person and the end of their sign-in: the password, Conditional Access, the
 * confirmation of a device, consent. One obstacle at a time; each is a page, or for a silent request an error.
 * Knows no HTTP parameter.
 */
import {
  addConsent,
  mayConsent,
  configuredPermissions,
  consentError,
  findMissingConsent,
  type Permission,
  requestedPermissions,
} from './consent.ts';
import { findMissingProof } from './conditional-access.ts';
import {
  type App,
  findAccountIn,
  findAppIn,
  homeAccount,
  isAlias,
  type Tenant,
  type User,
} from './directory.ts';
import { AadstsError } from './errors.ts';
import { raisePersonalFault } from './faults.ts';
import type { BrowserSession, SignInFlow, SignInPurpose } from './grants.ts';
import { type PageProblem, renderLoginPage } from './login-page.ts';
import { finishSignIn, refuseSignIn } from './outcome.ts';
import type { Realm } from './realm.ts';
import type { EmulatorRequest, Reply } from './request.ts';
import { parseScopes } from './scopes.ts';
import {
  renderConfirmPage,
  renderConsentPage,
  renderEnrolPage,
  renderFactorPage,
  renderRequestPage,
} from './step-pages.ts';

const FLOW_LIFETIME_MS = 15 * 60_000;

export type Obstacle =
  | { readonly kind: 'login'; readonly error: AadstsError }
  | { readonly kind: 'factor' | 'enrol'; readonly error: AadstsError }
  | { readonly kind: 'confirm' }
  | { readonly kind: 'request'; readonly error: AadstsError }
  | { readonly kind: 'consent'; readonly permissions: readonly Permission[]; readonly error: AadstsError };

/** Who signs in to what, once the person is known: at an alias the app is the one of the person's own tenant. */
export interface Arrival {
  readonly app: App;
  readonly session: BrowserSession;
}

export function openFlow(
  realm: Realm,
  purpose: SignInPurpose,
  session: BrowserSession | undefined,
): SignInFlow {
  return {
    purpose,
    expiresAtMs: realm.nowMs() + FLOW_LIFETIME_MS,
    ...(session === undefined ? {} : { session }),
    isFresh: false,
    isConfirmed: false,
    hasConsented: false,
    isFaultSpent: false,
  };
}

/** On to the next page, or to the end. Refusals reach whoever they are meant for. */
export async function advance(
  realm: Realm,
  request: EmulatorRequest,
  flow: SignInFlow,
  problem?: PageProblem,
): Promise<Reply> {
  try {
    const arrival = findArrival(realm, flow);
    const obstacle = findObstacle(realm, flow, arrival);
    if (obstacle === undefined && arrival !== undefined) {
      arrival.app.isInstalled = true;
      return await finishSignIn(realm, flow.purpose, arrival.app, arrival.session);
    }
    if (flow.purpose.prompt === 'none') throw silentError(obstacle);
    return renderObstacle(realm, request, flow, obstacle ?? loginObstacle(), problem);
  } catch (refusal) {
    if (!(refusal instanceof AadstsError) || isForTheDoor(refusal)) throw refusal;
    return refuseSignIn(realm, request, flow.purpose, refusal);
  }
}

/** Throttling and outages are not the client's business: they never reach a redirect URI. */
export function isForTheDoor(refusal: AadstsError): boolean {
  return refusal.code === 90055 || refusal.code === 90033;
}

/** What the posted page was about. */
export function findObstacle(
  realm: Realm,
  flow: SignInFlow,
  arrival: Arrival | undefined,
): Obstacle | undefined {
  if (arrival === undefined) return loginObstacle();
  checkPerson(realm, flow, arrival);
  return findProofObstacle(realm, flow, arrival) ?? findConsentObstacle(flow, arrival);
}

/** @throws AADSTS50020 for an account that the tenant does not know */
export function findArrival(realm: Realm, flow: SignInFlow): Arrival | undefined {
  const { session, purpose } = flow;
  if (session === undefined) return undefined;
  const tenant = isAlias(purpose.segment) ? session.user.tenant : purpose.app.tenant;
  const user = findAccountIn(tenant, session.user);
  const app = findAppIn(realm.directory, tenant, purpose.app.seed.clientId);
  if (user === undefined || app === undefined) throw foreignAccountError(purpose, session.user);
  if (user === session.user) return { app, session };
  return { app, session: { ...session, user, sessionEpoch: user.sessionEpoch } };
}

export function foreignAccountError(purpose: SignInPurpose, user: User): AadstsError {
  const { clientId } = purpose.app.seed;
  return new AadstsError(50020, {
    username: user.seed.username,
    tenant: purpose.app.tenant.seed.displayName,
    provider: `https://sts.windows.net/${homeAccount(user).tenantId}/`,
    clientId,
  });
}

/** Who may be picked: the tenant's people, or at an alias everybody where they are at home. */
export function findCandidates(realm: Realm, purpose: SignInPurpose): readonly User[] {
  const people = candidateTenants(realm, purpose).flatMap((tenant) => tenant.users);
  const homes = isAlias(purpose.segment) ? people.filter((user) => isAtHome(people, user)) : people;
  const ofDomain = homes.filter((user) =>
    user.seed.username.toLowerCase().endsWith(`@${purpose.domainHint?.toLowerCase()}`),
  );
  // A hint that is nobody's domain is ignored, as `organizations` is.
  return (ofDomain.length > 0 ? ofDomain : homes).filter((user) => !user.seed.isAgent);
}

/** A guest is left out where the account it belongs to can be picked itself. */
function isAtHome(people: readonly User[], user: User): boolean {
  const { guestFrom } = user.seed;
  return guestFrom === undefined || !people.some((each) => each.seed.objectId === guestFrom.objectId);
}

function candidateTenants(realm: Realm, purpose: SignInPurpose): readonly Tenant[] {
  if (purpose.segment.toLowerCase() === 'consumers') return [];
  return isAlias(purpose.segment) ? realm.directory.tenants : [purpose.app.tenant];
}

function loginObstacle(): Obstacle {
  return { kind: 'login', error: new AadstsError(50058) };
}

function checkPerson(realm: Realm, flow: SignInFlow, { app, session }: Arrival): void {
  const { clientId, displayName, assignmentRequired } = app.seed;
  const { username } = session.user.seed;
  if (!flow.isFaultSpent) {
    flow.isFaultSpent = true;
    raisePersonalFault(realm.faults, { endpoint: 'authorize', clientId, username });
  }
  if (!session.user.enabled) throw new AadstsError(50057);
  if (assignmentRequired && !session.user.roles.has(clientId)) {
    throw new AadstsError(50105, { appName: displayName, clientId, username });
  }
}

function findProofObstacle(realm: Realm, flow: SignInFlow, { app, session }: Arrival): Obstacle | undefined {
  const { scope, resource, claims } = flow.purpose;
  const resources = parseScopes(app.tenant, app, scope, resource).resources.map((each) => each.app);
  const nowMs = realm.nowMs();
  const missing = findMissingProof({
    user: session.user,
    client: app,
    resources,
    claims,
    proof: session,
    nowMs,
  });
  if (missing === undefined) return undefined;
  if (missing.remedy === 'secondFactor') return { kind: 'factor', error: missing.error };
  if (missing.remedy === 'enrol') return { kind: 'enrol', error: missing.error };
  if (missing.remedy === 'signInAgain' && !flow.isFresh) return { kind: 'login', error: missing.error };
  throw missing.error;
}

function findConsentObstacle(flow: SignInFlow, { app, session }: Arrival): Obstacle | undefined {
  const { purpose } = flow;
  if (purpose.kind === 'device' && !flow.isConfirmed) return { kind: 'confirm' };
  if (flow.hasConsented) return undefined;
  const asked = askedPermissions(purpose, app);
  const missing = findMissingConsent(session.user, asked);
  const isDemanded =
    purpose.kind === 'adminConsent' || purpose.prompt === 'consent' || purpose.prompt === 'admin_consent';
  if (missing.length === 0 && !isDemanded) return undefined;
  if (purpose.prompt !== 'none' && !mayGrant(purpose, app, session.user, missing)) return adminObstacle(app);
  return { kind: 'consent', permissions: asked, error: consentError(app, { error: 'interaction_required' }) };
}

function mayGrant(purpose: SignInPurpose, app: App, user: User, missing: readonly Permission[]): boolean {
  const isForAll = purpose.kind === 'adminConsent' || purpose.prompt === 'admin_consent';
  return isForAll ? user.seed.isAdmin === true : mayConsent(app, user, missing);
}

/** @throws AADSTS90094 where nobody takes requests */
function adminObstacle(app: App): Obstacle {
  const { displayName, userConsent } = app.tenant.seed;
  const error = new AadstsError(90094, { tenant: displayName, appName: app.seed.displayName });
  if (userConsent !== 'adminRequest') throw error;
  return { kind: 'request', error };
}

function askedPermissions(purpose: SignInPurpose, app: App): readonly Permission[] {
  const asked = requestedPermissions(app, parseScopes(app.tenant, app, purpose.scope, purpose.resource));
  if (purpose.kind !== 'adminConsent') return asked;
  return [...new Map([...asked, ...configuredPermissions(app)].map((each) => [keyOf(each), each])).values()];
}

function keyOf({ client, resource, scope }: Permission): string {
  return [client.seed.clientId, resource.seed.clientId, scope].join(' ');
}

export function acceptConsent(
  flow: SignInFlow,
  arrival: Arrival,
  permissions: readonly Permission[],
  forAll: boolean,
): void {
  flow.hasConsented = true;
  addConsent(arrival.app, forAll ? 'all' : arrival.session.user.seed.objectId, permissions);
}

function silentError(obstacle: Obstacle | undefined): AadstsError {
  return obstacle === undefined || obstacle.kind === 'confirm' ? new AadstsError(50058) : obstacle.error;
}

function renderObstacle(
  realm: Realm,
  request: EmulatorRequest,
  flow: SignInFlow,
  obstacle: Obstacle,
  problem: PageProblem | undefined,
): Reply {
  const { purpose } = flow;
  const page = {
    action: `${request.origin}/${purpose.segment}/login`,
    flow: realm.grants.flows.add(flow),
    app: purpose.app,
    problem,
  };
  const username = flow.session?.user.seed.username ?? '';
  if (obstacle.kind === 'factor') return renderFactorPage({ ...page, username });
  if (obstacle.kind === 'enrol') return renderEnrolPage({ ...page, username });
  if (obstacle.kind === 'request') return renderRequestPage({ ...page, username });
  if (obstacle.kind === 'confirm') return renderConfirmPage({ ...page, username });
  if (obstacle.kind === 'consent') {
    const isAdmin = flow.session?.user.seed.isAdmin ?? false;
    const { permissions } = obstacle;
    return renderConsentPage({
      ...page,
      username,
      permissions,
      isAdmin,
      isForAll: purpose.kind === 'adminConsent',
    });
  }
  return renderLoginPage({
    ...page,
    users: findCandidates(realm, purpose),
    showPicker: !isPasswordDemanded(flow),
    loginHint: problem?.username ?? purpose.loginHint ?? '',
  });
}

/** A demanded fresh password is asked for: no tile signs in without one. */
export function isPasswordDemanded(flow: SignInFlow): boolean {
  return flow.purpose.prompt === 'login' || flow.session !== undefined;
}
