/** Room `logout`: the end of a browser session, and who hears of it. Goes back only where an app has registered the address. */
import { SESSION_COOKIE } from './login.ts';
import { escapeHtml, htmlReply } from './pages.ts';
import { issuerV2, type Realm } from './realm.ts';
import { isRedirectUriRegistered } from './redirect-uri.ts';
import type { BrowserSession } from './grants.ts';
import type { EmulatorRequest, Reply } from './request.ts';

/** `post_logout_redirect_uri`, `state`; `logout_hint` and `id_token_hint` are accepted: there is one account to end. */
export function handleLogout(realm: Realm, request: EmulatorRequest): Reply {
  const handle = request.cookies.get(SESSION_COOKIE) ?? '';
  const session = realm.grants.sessions.find(handle);
  realm.grants.sessions.remove(handle);
  const target = findTarget(realm, request);
  const frames = session === undefined ? [] : frontChannelUrls(realm, session);
  const reply = frames.length === 0 && target !== undefined ? leave(target) : renderSignedOut(frames, target);
  const cookie = `${SESSION_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax`;
  return { ...reply, headers: { ...reply.headers, 'set-cookie': cookie } };
}

function leave(target: string): Reply {
  return { status: 302, headers: { location: target } };
}

function findTarget(realm: Realm, request: EmulatorRequest): string | undefined {
  const params = request.method === 'POST' ? request.form : request.query;
  const wanted = params.get('post_logout_redirect_uri');
  if (wanted === null || !isRegisteredAnywhere(realm, wanted)) return undefined;
  const url = new URL(wanted);
  const state = params.get('state');
  if (state !== null) url.searchParams.set('state', state);
  return url.href;
}

/** OpenID Connect Front-Channel Logout §2: issuer and session, so that the app can tell which one ended. */
function frontChannelUrls(realm: Realm, session: BrowserSession): readonly string[] {
  return [...session.apps].flatMap(({ seed }) => {
    if (seed.frontChannelLogoutUrl === undefined) return [];
    const url = new URL(seed.frontChannelLogoutUrl);
    url.searchParams.set('iss', issuerV2(realm, session.user.tenant.seed.tenantId));
    url.searchParams.set('sid', session.sessionId);
    return [url.href];
  });
}

function renderSignedOut(frames: readonly string[], target: string | undefined): Reply {
  const hidden = frames
    .map((url) => `<iframe hidden src="${escapeHtml(url)}" title="Sign-out"></iframe>`)
    .join('\n');
  const onward =
    target === undefined ? '' : `<p><a id="continue" href="${escapeHtml(target)}">Continue</a></p>`;
  const body = `<h1>You signed out of your account</h1>
<p>It’s a good idea to close all browser windows.</p>
${onward}
${hidden}`;
  // After the frames have loaded: an app that is told while the page is already leaving may never hear it.
  const script =
    target === undefined
      ? undefined
      : "window.addEventListener('load', () => location.replace(document.getElementById('continue').href));";
  return htmlReply(200, 'Signed out', body, script, [...new Set(frames.map((url) => new URL(url).origin))]);
}

function isRegisteredAnywhere(realm: Realm, uri: string): boolean {
  const apps = realm.directory.tenants.flatMap((tenant) => tenant.apps);
  return apps.some((app) =>
    app.redirectUris.some((registered) => isRedirectUriRegistered(registered.uri, uri)),
  );
}
