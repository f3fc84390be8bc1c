/**
 * Room `authorize`: checks an authorization request, decides whether a person must act, and answers the client.
 * First the checks whose failure must stay on Entra's own page (client, redirect URI), then those that go to the redirect.
 */
import {
  type App,
  findApp,
  findPlatform,
  findUser,
  isAlias,
  isSameName,
  type Tenant,
  type User,
} from './directory.ts';
import { AadstsError, describeError, errorUri } from './errors.ts';
import { raiseAuthorizeFault, raisePersonalFault } from './faults.ts';
import type { AuthorizeRequest, BrowserSession, ResponseMode } from './grants.ts';
import { type PageProblem, renderLoginPage } from './login-page.ts';
import { renderErrorPage } from './pages.ts';
import { refuseRepeated, required } from './parameters.ts';
import type { Realm } from './realm.ts';
import type { EmulatorRequest, Reply } from './request.ts';
import { sendToRedirect } from './response-mode.ts';
import { parseScopes } from './scopes.ts';
import { createClientInfo } from './tokens.ts';

export const SESSION_COOKIE = 'ESTSAUTH';
const FLOW_LIFETIME_MS = 15 * 60_000;
const CODE_LIFETIME_MS = 10 * 60_000;

/** @throws AadstsError only for what is shown on the page; everything else reaches the redirect URI */
export function handleAuthorize(
  realm: Realm,
  request: EmulatorRequest,
  segment: string,
  version: 1 | 2,
): Reply {
  const params = request.method === 'POST' ? request.form : request.query;
  const client = findClientAndRedirect(realm, segment, params);
  return answerProblems(realm, request, client, () => {
    raiseAuthorizeFault(realm.faults, client.app.seed.clientId);
    const checked = checkRequest(client, params, version);
    const session = findSession(realm, request);
    if (checked.prompt === 'none') return completeSilently(realm, request, checked, session);
    if (session !== undefined && canSkipPage(checked, session))
      return completeSignIn(realm, request, checked, session);
    return showLogin(realm, request, checked);
  });
}

/** Opens a page for this request; the form carries nothing but the handle of what is kept here. */
export function showLogin(
  realm: Realm,
  request: EmulatorRequest,
  checked: AuthorizeRequest,
  problem?: PageProblem,
): Reply {
  const flow = realm.grants.flows.add({ request: checked, expiresAtMs: realm.nowMs() + FLOW_LIFETIME_MS });
  return renderLoginPage({
    action: `${request.origin}/${checked.segment}/login`,
    flow,
    app: checked.app,
    users: candidateTenants(realm, checked).flatMap((tenant) => tenant.users),
    // A demanded fresh password is asked for: no tile signs in without one.
    showPicker: checked.prompt !== 'login',
    loginHint: problem?.username ?? checked.loginHint ?? '',
    problem,
  });
}

/** The person is known: judges them against the app, then sends a code to the client. */
export function completeSignIn(
  realm: Realm,
  request: EmulatorRequest,
  checked: AuthorizeRequest,
  session: BrowserSession,
): Reply {
  const { user } = session;
  const { clientId, displayName } = checked.app.seed;
  raisePersonalFault(realm.faults, { endpoint: 'authorize', clientId, username: user.seed.username });
  if (!user.enabled) throw new AadstsError(50057);
  if (checked.app.seed.assignmentRequired && !user.roles.has(clientId)) {
    throw new AadstsError(50105, { appName: displayName, clientId, username: user.seed.username });
  }
  const code = realm.grants.codes.add({
    request: checked,
    ...session,
    expiresAtMs: realm.nowMs() + CODE_LIFETIME_MS,
    redeemed: false,
  });
  return sendToRedirect(checked, {
    code,
    ...(checked.clientInfo ? { client_info: createClientInfo(user) } : {}),
    session_state: session.sessionId,
  });
}

/** Turns a refusal into the answer the client gets: on the redirect URI, or on a page where Entra keeps it to itself. */
export function answerProblems(
  realm: Realm,
  request: EmulatorRequest,
  to: RedirectTarget,
  run: () => Reply,
): Reply {
  try {
    return run();
  } catch (problem) {
    if (!(problem instanceof AadstsError)) throw problem;
    const trace = { traceId: request.traceId, correlationId: request.correlationId, nowMs: realm.nowMs() };
    if (problem.code === 90055 || problem.code === 90033) throw problem;
    if (problem.shownOnPage && to.prompt !== 'none') return renderErrorPage(problem, trace);
    return sendToRedirect(to, {
      error: problem.error,
      error_description: describeError(problem, trace),
      error_uri: errorUri(problem),
      ...(problem.suberror === undefined ? {} : { suberror: problem.suberror }),
      ...(problem.claims === undefined ? {} : { claims: problem.claims }),
    });
  }
}

export interface RedirectTarget {
  readonly redirectUri: string;
  readonly responseMode: ResponseMode;
  readonly state?: string;
  readonly prompt?: string;
}

interface ClientAndRedirect extends RedirectTarget {
  readonly segment: string;
  readonly app: App;
  readonly platform: AuthorizeRequest['platform'];
}

function findClientAndRedirect(realm: Realm, segment: string, params: URLSearchParams): ClientAndRedirect {
  refuseRepeated(params);
  const clientId = required(params, 'client_id');
  const app = findApp(realm.directory, segment, clientId);
  const redirectUri = params.get('redirect_uri') ?? onlyRedirectUri(app);
  const platform = findPlatform(app, redirectUri);
  const mode = params.get('response_mode');
  const state = params.get('state');
  const prompt = params.get('prompt');
  return {
    segment,
    app,
    redirectUri,
    platform,
    responseMode: mode === 'fragment' || mode === 'form_post' ? mode : 'query',
    ...(state === null ? {} : { state }),
    ...(prompt === null ? {} : { prompt }),
  };
}

function onlyRedirectUri(app: App): string {
  const [first, ...others] = app.redirectUris;
  if (first === undefined || others.length > 0) throw new AadstsError(900144, { name: 'redirect_uri' });
  return first.uri;
}

function checkRequest(client: ClientAndRedirect, params: URLSearchParams, version: 1 | 2): AuthorizeRequest {
  const responseType = required(params, 'response_type');
  if (responseType !== 'code') throw new AadstsError(700051, { responseType });
  const mode = params.get('response_mode');
  if (mode !== null && !['query', 'fragment', 'form_post'].includes(mode)) {
    throw new AadstsError(90023, { reason: `Unsupported response_mode '${mode}'.` });
  }
  checkPrompt(client.prompt);
  const { scope, resource } = readScope(params, version);
  parseScopes(client.app.tenant, client.app, scope, resource);
  const nonce = params.get('nonce');
  const loginHint = params.get('login_hint');
  const challenge = readChallenge(client, params);
  return {
    ...client,
    scope,
    clientInfo: params.get('client_info') === '1',
    ...(resource === undefined ? {} : { resource }),
    ...(challenge === undefined ? {} : { challenge }),
    ...(nonce === null ? {} : { nonce }),
    ...(loginHint === null ? {} : { loginHint }),
  };
}

/** v1 names its resource where v2 has scopes. */
function readScope(params: URLSearchParams, version: 1 | 2): { scope: string; resource?: string } {
  const resource = params.get('resource');
  if (version === 1) {
    const words = `openid profile offline_access${resource === null ? '' : ` ${resource}/.default`}`;
    return { scope: words };
  }
  const scope = required(params, 'scope');
  return resource === null ? { scope } : { scope, resource };
}

function checkPrompt(prompt: string | undefined): void {
  const known = ['login', 'none', 'consent', 'select_account', 'admin_consent', 'create'];
  if (prompt === undefined || known.includes(prompt)) return;
  throw new AadstsError(90023, { reason: `Unsupported prompt value '${prompt}'.` });
}

/** RFC 7636 §4.2: 43 to 128 characters; the method is `plain` when none is named. A single-page app must use S256. */
function readChallenge(client: ClientAndRedirect, params: URLSearchParams): AuthorizeRequest['challenge'] {
  const value = params.get('code_challenge');
  const method = params.get('code_challenge_method') ?? 'plain';
  if (value === null) {
    if (client.platform === 'spa') throw new AadstsError(9002325);
    return undefined;
  }
  if (!/^[A-Za-z0-9._~-]{43,128}$/.test(value)) throw new AadstsError(501491);
  if (method !== 'S256' && method !== 'plain') {
    throw new AadstsError(90023, { reason: `Unsupported code_challenge_method '${method}'.` });
  }
  if (client.platform === 'spa' && method !== 'S256') throw new AadstsError(9002325);
  return { value, method };
}

function completeSilently(
  realm: Realm,
  request: EmulatorRequest,
  checked: AuthorizeRequest,
  session: BrowserSession | undefined,
): Reply {
  if (session === undefined || !isHinted(checked, session.user) || !isOfTenant(checked, session.user)) {
    throw new AadstsError(50058);
  }
  return completeSignIn(realm, request, checked, session);
}

function canSkipPage(checked: AuthorizeRequest, session: BrowserSession): boolean {
  const asksForPage = checked.prompt !== undefined;
  return !asksForPage && isHinted(checked, session.user) && isOfTenant(checked, session.user);
}

function isHinted(checked: AuthorizeRequest, user: User): boolean {
  const { loginHint } = checked;
  return (
    loginHint === undefined ||
    findUser([user.tenant], loginHint) === user ||
    isSameName(loginHint, user.seed.objectId)
  );
}

function isOfTenant(checked: AuthorizeRequest, user: User): boolean {
  return isAlias(checked.segment) || checked.app.tenant === user.tenant;
}

export function candidateTenants(realm: Realm, checked: AuthorizeRequest): readonly Tenant[] {
  return isAlias(checked.segment) ? realm.directory.tenants : [checked.app.tenant];
}

/** A session lives until it is revoked, its person is disabled, or the browser forgets the cookie. */
export function findSession(realm: Realm, request: EmulatorRequest): BrowserSession | undefined {
  const session = realm.grants.sessions.find(request.cookies.get(SESSION_COOKIE) ?? '');
  if (session === undefined || !session.user.enabled) return undefined;
  return session.sessionEpoch === session.user.sessionEpoch ? session : undefined;
}
