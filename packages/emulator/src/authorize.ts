/**
 * Room `authorize`: checks an authorization request and starts its sign-in.
 * First the checks whose failure must stay on Entra's own page (client, redirect URI), then those that go to the redirect.
 */
import { parseClaims } from './claims-request.ts';
import {
  type App,
  findAccountIn,
  findApp,
  findPlatform,
  findAmong,
  isAlias,
  isSameName,
  type User,
} from './directory.ts';
import { AadstsError } from './errors.ts';
import { raiseAuthorizeFault } from './faults.ts';
import type { AuthorizeRequest, BrowserSession, SignInPurpose } from './grants.ts';
import { SESSION_COOKIE } from './login.ts';
import { type RedirectTarget, refuseAuthorize, traceOf } from './outcome.ts';
import { refuseRepeated, required } from './parameters.ts';
import type { Realm } from './realm.ts';
import type { EmulatorRequest, Reply } from './request.ts';
import { parseScopes } from './scopes.ts';
import { advance, isForTheDoor, openFlow } from './sign-in.ts';
import { createLoginHint } from './tokens.ts';

const RESPONSE_TYPES: ReadonlySet<string> = new Set(['code', 'id_token', 'token']);

/** @throws AadstsError only for what is shown on the page; everything else reaches the redirect URI */
export async function handleAuthorize(
  realm: Realm,
  request: EmulatorRequest,
  segment: string,
  version: 1 | 2,
): Promise<Reply> {
  const params = request.method === 'POST' ? request.form : request.query;
  const client = findClientAndRedirect(realm, segment, params);
  try {
    raiseAuthorizeFault(realm.faults, client.app.seed.clientId);
    const purpose = checkRequest(client, params, version);
    return await advance(
      realm,
      request,
      openFlow(realm, purpose, findUsableSession(realm, request, purpose)),
    );
  } catch (problem) {
    if (!(problem instanceof AadstsError) || isForTheDoor(problem)) throw problem;
    return refuseAuthorize(client, problem, traceOf(realm, request));
  }
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
  const mode = params.get('response_mode') ?? defaultMode(params);
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

/** A token never travels in a query by itself. */
function defaultMode(params: URLSearchParams): string {
  const types = (params.get('response_type') ?? 'code').split(' ');
  return types.some((type) => type !== 'code') ? 'fragment' : 'query';
}

function checkRequest(client: ClientAndRedirect, params: URLSearchParams, version: 1 | 2): AuthorizeRequest {
  const responseTypes = readResponseTypes(client, params);
  const mode = params.get('response_mode');
  if (mode !== null && !['query', 'fragment', 'form_post'].includes(mode)) {
    throw new AadstsError(90023, { reason: `Unsupported response_mode '${mode}'.` });
  }
  checkPrompt(client.prompt);
  const { scope, resource } = readScope(params, version);
  if (version === 2 && client.segment.toLowerCase() === 'consumers' && resource !== undefined)
    throw new AadstsError(901002);
  parseScopes(client.app.tenant, client.app, scope, resource);
  const challenge = readChallenge(client, params);
  return {
    ...client,
    kind: 'authorize',
    version,
    responseTypes,
    scope,
    claims: parseClaims(params.get('claims')),
    clientInfo: params.get('client_info') === '1',
    ...(resource === undefined ? {} : { resource }),
    ...(challenge === undefined ? {} : { challenge }),
    ...optionalTexts(params),
  };
}

function optionalTexts(
  params: URLSearchParams,
): Pick<AuthorizeRequest, 'nonce' | 'loginHint' | 'domainHint'> {
  const nonce = params.get('nonce');
  const loginHint = params.get('login_hint');
  const domainHint = params.get('domain_hint');
  return {
    ...(nonce === null ? {} : { nonce }),
    ...(loginHint === null ? {} : { loginHint }),
    ...(domainHint === null ? {} : { domainHint }),
  };
}

/** Tokens from the authorize endpoint itself only where the app allows them, with a nonce, and never in a query. */
function readResponseTypes(client: ClientAndRedirect, params: URLSearchParams): ReadonlySet<string> {
  const responseType = required(params, 'response_type');
  const types = new Set(responseType.split(' '));
  if ([...types].some((type) => !RESPONSE_TYPES.has(type))) throw new AadstsError(700051, { responseType });
  const { implicitGrant } = client.app.seed;
  if (types.has('id_token') && !implicitGrant?.idTokens) throw new AadstsError(700054);
  if (types.has('token') && !implicitGrant?.accessTokens)
    throw new AadstsError(700051, { responseType: 'token' });
  const isCodeOnly = types.size === 1 && types.has('code');
  if (!isCodeOnly && params.get('response_mode') === 'query') throw new AadstsError(70007, { mode: 'query' });
  if (types.has('id_token') && params.get('nonce') === null) throw new AadstsError(900144, { name: 'nonce' });
  return types;
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

/** A session that this request may use without asking: no page was demanded, and it is the hinted person. */
function findUsableSession(
  realm: Realm,
  request: EmulatorRequest,
  purpose: SignInPurpose,
): BrowserSession | undefined {
  const session = findSession(realm, request);
  if (session === undefined) return undefined;
  const asksForPage = ['login', 'select_account', 'create'].includes(purpose.prompt ?? '');
  const account = isAlias(purpose.segment) ? session.user : findAccountIn(purpose.app.tenant, session.user);
  return asksForPage || account === undefined || !isHinted(purpose, account) ? undefined : session;
}

function isHinted({ loginHint, domainHint }: SignInPurpose, user: User): boolean {
  const domain = user.seed.username.split('@')[1] ?? '';
  const isOfDomain = domainHint === undefined || !domainHint.includes('.') || isSameName(domain, domainHint);
  return (
    isOfDomain &&
    (loginHint === undefined ||
      findAmong([user], loginHint) === user ||
      isSameName(loginHint, user.seed.objectId) ||
      loginHint === createLoginHint(user))
  );
}

/** A session lives until it is revoked, its person is disabled, or the browser forgets the cookie. */
export function findSession(realm: Realm, request: EmulatorRequest): BrowserSession | undefined {
  const session = realm.grants.sessions.find(request.cookies.get(SESSION_COOKIE) ?? '');
  if (session === undefined || !session.user.enabled) return undefined;
  return session.sessionEpoch === session.user.sessionEpoch ? session : undefined;
}
