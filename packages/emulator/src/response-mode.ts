/** How an authorization answer travels: in the query, in the fragment, or as a form that posts itself. */
import { escapeHtml, htmlReply } from './pages.ts';
import type { ResponseMode } from './grants.ts';
import type { Reply } from './request.ts';

interface Target {
  readonly redirectUri: string;
  readonly responseMode: ResponseMode;
  readonly state?: string;
}

/** A redirect URI without a path comes back with a trailing slash: `URL` does what Entra does. */
export function sendToRedirect(target: Target, answer: Readonly<Record<string, string>>): Reply {
  const params = { ...answer, ...(target.state === undefined ? {} : { state: target.state }) };
  if (target.responseMode === 'form_post') return renderFormPost(target.redirectUri, params);
  const url = new URL(target.redirectUri);
  if (target.responseMode === 'fragment') url.hash = new URLSearchParams(params).toString();
  else for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  return { status: 302, headers: { location: url.href, 'cache-control': 'no-store' } };
}

/** OAuth 2.0 Form Post Response Mode §2; with a button for browsers that run no script. */
function renderFormPost(redirectUri: string, params: Readonly<Record<string, string>>): Reply {
  const fields = Object.entries(params)
    .map(([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`)
    .join('\n');
  const body = `<form name="hiddenform" method="post" action="${escapeHtml(redirectUri)}">
${fields}
<noscript><p>Script is disabled. Choose Submit to continue.</p><button type="submit">Submit</button></noscript>
</form>`;
  return htmlReply(200, 'Working…', body, 'document.forms[0].submit();');
}
