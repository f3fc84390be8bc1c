/** The frame of every page: plain accessible HTML, no script but the one of form_post, nothing fetched from anywhere. */
import { randomBytes } from 'node:crypto';
import { type AadstsError, describeError, type Trace } from './errors.ts';
import type { Reply } from './request.ts';

const STYLE = `
:root { color-scheme: light; font: 16px/1.45 "Segoe UI", system-ui, sans-serif; color: #1b1b1b; background: #eef1f5; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { background: #fff; width: min(27rem, calc(100vw - 2rem)); box-sizing: border-box; padding: 2.25rem; margin: 1rem; box-shadow: 0 2px 8px #0003; }
h1 { font-size: 1.45rem; font-weight: 600; margin: 0 0 .4rem; }
.tag { font-size: .8rem; color: #595959; margin: 0 0 1.2rem; }
label { display: block; font-size: .9rem; margin-top: .9rem; }
input:not([type=hidden]):not([type=checkbox]) { width: 100%; box-sizing: border-box; font: inherit; padding: .45rem .5rem; border: 1px solid #767676; border-radius: 2px; }
button { font: inherit; cursor: pointer; border-radius: 2px; }
label.inline { display: inline; }
.permissions { padding-left: 1.2rem; }
.tiles { list-style: none; margin: 1rem 0; padding: 0; border-top: 1px solid #e3e3e3; }
.tiles button { width: 100%; text-align: left; background: none; border: 0; border-bottom: 1px solid #e3e3e3; padding: .55rem .4rem; }
.tiles button:hover { background: #f2f2f2; }
.tiles b, .tiles span { display: block; }
.tiles span { font-size: .82rem; color: #595959; }
.actions { display: flex; justify-content: flex-end; gap: .5rem; margin-top: 1.4rem; }
.actions button { min-width: 6.5rem; padding: .4rem .8rem; border: 1px solid #767676; background: #e9e9e9; }
.actions .primary { background: #0067b8; border-color: #0067b8; color: #fff; }
:focus-visible { outline: 2px solid #0067b8; outline-offset: 2px; }
.problem { color: #a80000; margin: .8rem 0 0; overflow-wrap: anywhere; }
dl { font-size: .82rem; overflow-wrap: anywhere; } dt { font-weight: 600; } dd { margin: 0 0 .4rem; }`;

/**
 * @param script runs on the page; only the emulator's own text may be given here
 * @param frames origins the page may frame: sign-out calls apps in hidden frames
 */
export function htmlReply(
  status: number,
  title: string,
  body: string,
  script?: string,
  frames: readonly string[] = [],
): Reply {
  const nonce = randomBytes(16).toString('base64');
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
${script === undefined ? '' : `<script nonce="${nonce}">${script}</script>`}
</body>
</html>
`;
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': `default-src 'none'; ${frames.length === 0 ? '' : `frame-src ${frames.join(' ')}; `}style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; base-uri 'none'; frame-ancestors 'none'`,
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    },
    body: html,
  };
}

/** One thing said, and nothing to press. */
export function renderMessagePage(heading: string, text: string): Reply {
  const body = `<h1>${escapeHtml(heading)}</h1>
<p class="tag">Local Entra ID emulator</p>
<p id="message">${escapeHtml(text)}</p>`;
  return htmlReply(200, heading, body);
}

/** The problem of a form, as every page of the sign-in shows it. */
export function renderProblem(problem: { readonly message: string } | undefined, id: string): string {
  if (problem === undefined) return '';
  return `<p class="problem" role="alert" id="${id}">${escapeHtml(problem.message)}</p>`;
}

/** What Entra shows when it must not, or cannot, send the person back to the app. */
export function renderErrorPage(error: AadstsError, trace: Trace): Reply {
  const body = `<h1>Sign in</h1>
<p class="tag">Local Entra ID emulator</p>
<p>Sorry, but we’re having trouble signing you in.</p>
<p class="problem" role="alert" id="service_exception_message">${escapeHtml(error.message)}</p>
<dl>
<dt>Request Id</dt><dd>${escapeHtml(trace.traceId)}</dd>
<dt>Correlation Id</dt><dd>${escapeHtml(trace.correlationId)}</dd>
<dt>Message</dt><dd>${escapeHtml(describeError(error, trace))}</dd>
</dl>`;
  return htmlReply(error.status, 'Sign in to your account', body);
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
