/** Room `login`: what the login page posts: a tile, a name with its password, or a refusal. And the way out again. */
import { randomUUID } from 'node:crypto';
import { answerProblems, candidateTenants, completeSignIn, SESSION_COOKIE, showLogin } from './authorize.ts';
import { findUser, type User } from './directory.ts';
import { AadstsError } from './errors.ts';
import type { AuthorizeRequest } from './grants.ts';
import { htmlReply } from './pages.ts';
import { isRedirectUriRegistered } from './redirect-uri.ts';
import type { Realm } from './realm.ts';
import type { EmulatorRequest, Reply } from './request.ts';
import { isSameSecret } from './same-secret.ts';

/** @throws AADSTS50089 on the page when the sign-in was begun too long ago, or never here */
export function handleLogin(realm: Realm, request: EmulatorRequest): Reply {
  const flow = realm.grants.flows.find(request.form.get('ctx') ?? '');
  if (flow === undefined || flow.expiresAtMs < realm.nowMs()) throw new AadstsError(50089);
  const checked = flow.request;
  return answerProblems(realm, request, checked, () => {
    if (request.form.has('cancel')) throw new AadstsError(65004);
    const attempt = checkAttempt(realm, checked, request.form);
    if ('problem' in attempt) return showLogin(realm, request, checked, attempt.problem);
    return signIn(realm, request, checked, attempt.user);
  });
}

type Attempt =
  | { readonly user: User }
  | { readonly problem: { readonly message: string; readonly username: string } };

function checkAttempt(realm: Realm, checked: AuthorizeRequest, form: URLSearchParams): Attempt {
  const tile = checked.prompt === 'login' ? null : form.get('account');
  const username = tile ?? form.get('loginfmt') ?? '';
  const user = findUser(candidateTenants(realm, checked), username);
  const isProven = tile !== null || isSameSecret(form.get('passwd') ?? '', user?.seed.password ?? '');
  const refuse = (code: number) => ({ problem: { message: new AadstsError(code).message, username } });
  if (user === undefined || !isProven) return refuse(50126);
  return user.enabled ? { user } : refuse(50057);
}

function signIn(realm: Realm, request: EmulatorRequest, checked: AuthorizeRequest, user: User): Reply {
  const session = {
    sessionId: randomUUID(),
    user,
    sessionEpoch: user.sessionEpoch,
    authTimeMs: realm.nowMs(),
  };
  const handle = realm.grants.sessions.add(session);
  const reply = answerProblems(realm, request, checked, () =>
    completeSignIn(realm, request, checked, session),
  );
  // Not `Secure`: the same browser may come over http next. SameSite=Lax keeps it out of cross-site posts.
  return {
    ...reply,
    headers: {
      ...reply.headers,
      'set-cookie': `${SESSION_COOKIE}=${handle}; Path=/; HttpOnly; SameSite=Lax`,
    },
  };
}

/** Ends the browser session. Goes back only where an app of the tenant has registered the address. */
export function handleLogout(realm: Realm, request: EmulatorRequest): Reply {
  realm.grants.sessions.remove(request.cookies.get(SESSION_COOKIE) ?? '');
  const cookie = { 'set-cookie': `${SESSION_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax` };
  const wanted = (request.method === 'POST' ? request.form : request.query).get('post_logout_redirect_uri');
  if (wanted !== null && isRegisteredAnywhere(realm, wanted)) {
    const url = new URL(wanted);
    const state = request.query.get('state');
    if (state !== null) url.searchParams.set('state', state);
    return { status: 302, headers: { location: url.href, ...cookie } };
  }
  const page = htmlReply(
    200,
    'Signed out',
    '<h1>You signed out of your account</h1><p>It’s a good idea to close all browser windows.</p>',
  );
  return { ...page, headers: { ...page.headers, ...cookie } };
}

function isRegisteredAnywhere(realm: Realm, uri: string): boolean {
  const apps = realm.directory.tenants.flatMap((tenant) => tenant.apps);
  return apps.some((app) =>
    app.redirectUris.some((registered) => isRedirectUriRegistered(registered.uri, uri)),
  );
}
