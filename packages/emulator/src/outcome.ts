/**
 * Room `outcome`: how a sign-in ends, for the client that asked and for the person at the browser. A code or a token on
 * the redirect URI, a device that may go on, an administrator's consent; or the refusal of each.
 */
import { createHash } from 'node:crypto';
import type { App } from './directory.ts';
import { type AadstsError, describeError, errorUri, type Trace } from './errors.ts';
import type {
  AdminConsentRequest,
  AuthorizeRequest,
  BrowserSession,
  DeviceSignIn,
  ResponseMode,
  SignInPurpose,
} from './grants.ts';
import { renderErrorPage, renderMessagePage } from './pages.ts';
import { accessTokenSeconds, type Realm } from './realm.ts';
import type { EmulatorRequest, Reply } from './request.ts';
import { sendToRedirect } from './response-mode.ts';
import { grantedValues, parseScopes, singleResource } from './scopes.ts';
import { createClientInfo, createIdToken, createUserAccessToken, type PersonGrant } from './tokens.ts';

const CODE_LIFETIME_MS = 10 * 60_000;

/** Where a refusal goes when the person must not keep it to themselves. */
export interface RedirectTarget {
  readonly redirectUri: string;
  readonly responseMode: ResponseMode;
  readonly state?: string;
  readonly prompt?: string;
}

/** Everything was judged: the answer to whoever asked for this sign-in. */
export function finishSignIn(
  realm: Realm,
  purpose: SignInPurpose,
  app: App,
  session: BrowserSession,
): Reply | Promise<Reply> {
  session.apps.add(app);
  if (purpose.kind === 'device') return approveDevice(realm, purpose, session);
  if (purpose.kind === 'adminConsent') return answerAdminConsent(purpose, app);
  return answerAuthorize(realm, purpose, app, session);
}

/** A refusal, on the redirect URI or on a page where Entra keeps it to itself. */
export function refuseSignIn(
  realm: Realm,
  request: EmulatorRequest,
  purpose: SignInPurpose,
  problem: AadstsError,
): Reply {
  const trace = traceOf(realm, request);
  if (purpose.kind === 'device') return declineDevice(realm, purpose, problem, trace);
  if (purpose.kind === 'adminConsent') return refuseAdminConsent(purpose, problem, trace);
  return refuseAuthorize(purpose, problem, trace);
}

export function refuseAuthorize(to: RedirectTarget, problem: AadstsError, trace: Trace): Reply {
  if (problem.shownOnPage && to.prompt !== 'none') return renderErrorPage(problem, trace);
  return sendToRedirect(to, {
    error: problem.error,
    error_description: describeError(problem, trace),
    error_uri: errorUri(problem),
    ...(problem.suberror === undefined ? {} : { suberror: problem.suberror }),
    ...(problem.claims === undefined ? {} : { claims: problem.claims }),
  });
}

export function traceOf(realm: Realm, request: EmulatorRequest): Trace {
  return { traceId: request.traceId, correlationId: request.correlationId, nowMs: realm.nowMs() };
}

async function answerAuthorize(
  realm: Realm,
  purpose: AuthorizeRequest,
  app: App,
  session: BrowserSession,
): Promise<Reply> {
  const { user, sessionId, sessionEpoch, authTimeMs, hasMfa } = session;
  const proof = { sessionId, sessionEpoch, authTimeMs, hasMfa };
  const wants = purpose.responseTypes;
  const code = wants.has('code')
    ? realm.grants.codes.add({
        request: purpose,
        app,
        user,
        ...proof,
        expiresAtMs: realm.nowMs() + CODE_LIFETIME_MS,
        redeemed: false,
      })
    : undefined;
  const grant = { user, client: app, ...proof, claims: purpose.claims };
  const token = wants.has('token') ? await issueImplicitToken(realm, purpose, grant) : {};
  const idToken = wants.has('id_token') ? await issueImplicitIdToken(realm, purpose, grant, code, token) : {};
  return sendToRedirect(purpose, {
    ...(code === undefined ? {} : { code }),
    ...token,
    ...idToken,
    ...(purpose.clientInfo ? { client_info: createClientInfo(user) } : {}),
    session_state: sessionId,
  });
}

async function issueImplicitToken(
  realm: Realm,
  purpose: AuthorizeRequest,
  grant: PersonGrant,
): Promise<Record<string, string>> {
  const { client } = grant;
  const scopes = parseScopes(client.tenant, client, purpose.scope, purpose.resource);
  const resource = singleResource(client.tenant, scopes);
  const values = grantedValues(client, resource);
  const lifetimeSeconds = accessTokenSeconds(realm);
  return {
    access_token: await createUserAccessToken(realm, grant, resource, values, 'none', lifetimeSeconds),
    token_type: 'Bearer',
    expires_in: String(lifetimeSeconds),
    scope: scopes.words.join(' '),
  };
}

/** OpenID Connect Core §3.3.2.11: an id token that travels with a code or a token carries the hash of each. */
async function issueImplicitIdToken(
  realm: Realm,
  purpose: AuthorizeRequest,
  grant: PersonGrant,
  code: string | undefined,
  token: Record<string, string>,
): Promise<Record<string, string>> {
  const { access_token: accessToken } = token;
  const hashes = {
    ...(code === undefined ? {} : { c_hash: halfHash(code) }),
    ...(accessToken === undefined ? {} : { at_hash: halfHash(accessToken) }),
  };
  const { oidc } = parseScopes(grant.client.tenant, grant.client, purpose.scope, purpose.resource);
  const idToken = await createIdToken(realm, grant, oidc, purpose.nonce, {
    version: purpose.version,
    more: hashes,
  });
  return { id_token: idToken };
}

function halfHash(text: string): string {
  return createHash('sha256').update(text, 'ascii').digest().subarray(0, 16).toString('base64url');
}

function approveDevice(realm: Realm, purpose: DeviceSignIn, session: BrowserSession): Reply {
  const device = realm.grants.devices.find(purpose.deviceCode);
  const { user, sessionId, sessionEpoch, authTimeMs, hasMfa } = session;
  if (device !== undefined && device.outcome === 'pending')
    device.outcome = { user, proof: { sessionId, sessionEpoch, authTimeMs, hasMfa } };
  const name = purpose.app.seed.displayName;
  const text = `You have signed in to the ${name} application on your device. You may now close this window.`;
  return renderMessagePage(name, text);
}

/** A cancelled sign-in tells the device; anything else stays on the page, and the device waits on. */
function declineDevice(realm: Realm, purpose: DeviceSignIn, problem: AadstsError, trace: Trace): Reply {
  if (problem.code !== 65004) return renderErrorPage(problem, trace);
  const device = realm.grants.devices.find(purpose.deviceCode);
  if (device !== undefined) device.outcome = 'declined';
  const text = 'The device was told that you did not sign in. You may now close this window.';
  return renderMessagePage('Sign-in cancelled', text);
}

function answerAdminConsent(purpose: AdminConsentRequest, app: App): Reply {
  return sendToRedirect(queryTarget(purpose), {
    admin_consent: 'True',
    tenant: app.tenant.seed.tenantId,
    ...(purpose.version === 2 ? { scope: purpose.scope } : {}),
  });
}

function refuseAdminConsent(purpose: AdminConsentRequest, problem: AadstsError, trace: Trace): Reply {
  if (problem.shownOnPage) return renderErrorPage(problem, trace);
  const isDeclined = problem.code === 65004;
  return sendToRedirect(queryTarget(purpose), {
    admin_consent: 'True',
    ...(isDeclined ? { tenant: purpose.app.tenant.seed.tenantId, error_subcode: 'cancel' } : {}),
    error: isDeclined ? 'consent_required' : problem.error,
    error_description: describeError(problem, trace),
    error_uri: errorUri(problem),
  });
}

function queryTarget(purpose: AdminConsentRequest): RedirectTarget {
  const { redirectUri, state } = purpose;
  return { redirectUri, responseMode: 'query', ...(state === undefined ? {} : { state }) };
}
