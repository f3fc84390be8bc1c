/**
 * Room `consent`: what a person is asked before a client gets access, and how the answer is protected. Everything is
 * passed in; knows no oidc-provider, no store and no Entra.
 */
import { type Html, html, ownMarkup, safeHref } from '../http/pages/html.ts';
import { renderPage } from '../http/pages/layout.ts';
import { describeRedirect, type RedirectDisplay } from './redirect-display.ts';

/** How far the client's own words can be believed. */
export type ClientOrigin =
  /** its description was fetched from this host, which is the one in its client id */
  | { readonly kind: 'verified'; readonly host: string }
  /** it registered itself: name and website are whatever it said */
  | { readonly kind: 'unverified' }
  /** the operator wrote it into the configuration */
  | { readonly kind: 'configured' };

export interface ConsentView {
  readonly clientName: string;
  readonly clientId: string;
  /** The client's website; shown, never fetched. */
  readonly clientUri?: string;
  readonly origin: ClientOrigin;
  readonly redirectUri: string;
  readonly backendTitle: string;
  /** The protected resource identifier. */
  readonly resource: string;
  /** What the client may do at the backend, each in a plain sentence. */
  readonly scopes: readonly { readonly name: string; readonly description: string }[];
  /** What the gateway will ask of Microsoft Entra for this sign-in. */
  readonly entraScopes: readonly string[];
  readonly csrfToken: string;
  readonly formAction: string;
  /** How long "Remember" lasts. */
  readonly rememberDays: number;
}

/**
 * The question itself. The form posts `csrf`, `decision` (`allow` or `deny`) and, when ticked, `remember=yes`.
 *
 * Deny is the first button in the document, so that Enter in the form never allows anything.
 */
export function renderConsentPage(view: ConsentView): Html {
  const clientName = shorten(view.clientName);
  const redirect = describeRedirect(view.redirectUri);
  return renderPage({
    title: `Allow ${clientName}?`,
    body: html`<h1>Allow <bdi>${clientName}</bdi> to use ${view.backendTitle}?</h1>
<p class="lead">It will act as you. You sign in with Microsoft next.</p>
${renderScopes(view)}
${renderCautions(view, redirect)}
<h2>Who is asking</h2>
${renderClient(view, redirect)}
${renderEntra(view)}
<form method="post" action="${view.formAction}" autocomplete="off">
<input type="hidden" name="csrf" value="${view.csrfToken}">
<label class="remember"><input type="checkbox" name="remember" value="yes" checked>
<span>Remember this decision<small>For ${describeDays(view.rememberDays)}, for this application at this address.</small></span></label>
<div class="buttons">
<button type="submit" id="deny" name="decision" value="deny">Deny</button>
<button type="submit" id="allow" name="decision" value="allow" class="main">Allow</button>
</div>
</form>`,
  });
}

function renderScopes({ scopes }: ConsentView): Html {
  if (scopes.length === 0) return html`<h2>What it may do</h2><p>It asks for no particular permission.</p>`;
  const items = scopes.map(
    ({ name, description }) =>
      html`<li>${tick}<span>${description === '' ? name : description}<code>${name}</code></span></li>`,
  );
  return html`<h2>What it may do</h2><ul class="scopes">${items}</ul>`;
}

const tick = ownMarkup`<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" focusable="false"><path fill="none" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round" d="m4.5 12.5 5 5 10-11"/></svg>`;

/** One calm box at most: two warnings are read less than one. */
function renderCautions(view: ConsentView, redirect: RedirectDisplay): Html | undefined {
  const isUnverified = view.origin.kind === 'unverified';
  if (redirect.kind === 'web' && !isUnverified) return undefined;
  return html`<div class="note" role="note"><p><b>Did you just start this yourself?</b>
${isUnverified && html`This application registered itself, so nobody has checked its name.`}
${redirect.kind === 'loopback' && html`Access goes to a program on this computer, and any program here could be the one that asks.`}
${redirect.kind === 'app' && html`Access goes to the app on this device that opens ${redirect.host} links.`}
If you did not expect this page, choose Deny.</p></div>`;
}

function renderClient(view: ConsentView, redirect: RedirectDisplay): Html {
  return html`<dl>
<div><dt>Application</dt><dd><bdi>${shorten(view.clientName)}</bdi>${renderOrigin(view.origin)}</dd></div>
${view.clientUri !== undefined && html`<div><dt>Website${view.origin.kind === 'unverified' && ' (as it says)'}</dt><dd>${renderWebsite(view)}</dd></div>`}
<div><dt>Access goes to</dt><dd id="redirect-host">${describeTarget(redirect)}</dd><dd><code id="redirect-uri">${view.redirectUri}</code></dd></div>
<div><dt>Client ID</dt><dd><code id="client-id">${view.clientId}</code></dd></div>
<div><dt>MCP server</dt><dd><code>${view.resource}</code></dd></div>
</dl>`;
}

function renderOrigin(origin: ClientOrigin): Html {
  if (origin.kind === 'verified') return html`<span class="tag good">Verified: ${origin.host}</span>`;
  if (origin.kind === 'configured') return html`<span class="tag good">Set up by your administrator</span>`;
  return html`<span class="tag caution">Not verified</span>`;
}

/**
 * An international host is shown in its `xn--` form. No link for a client that nobody has checked: from this page it
 * would look recommended.
 */
function renderWebsite({ clientUri = '', origin }: ConsentView): Html {
  const href = safeHref(clientUri);
  if (href === undefined || origin.kind === 'unverified')
    return html`<span id="client-uri">${href ?? clientUri}</span>`;
  return html`<a id="client-uri" href="${href}" target="_blank" rel="noopener noreferrer">${href}</a>`;
}

function describeTarget({ kind, host }: RedirectDisplay): Html {
  if (kind === 'loopback') return html`An application on this computer (<b>${host}</b>)`;
  if (kind === 'app') return html`The app that opens <b>${host}</b> links`;
  return html`<b>${host}</b>`;
}

function renderEntra({ entraScopes }: ConsentView): Html | undefined {
  if (entraScopes.length === 0) return undefined;
  const names = entraScopes.map((name, index) => html`${index > 0 && ', '}<code>${name}</code>`);
  return html`<details><summary>What is asked of Microsoft Entra</summary><div>
<p>To sign you in, this gateway asks Microsoft for ${names}.</p>
<p>What Microsoft gives stays here. The application never receives it.</p></div></details>`;
}

function describeDays(days: number): string {
  return days === 1 ? 'one day' : `${days} days`;
}

/** A name as long as a page would push the question and the buttons out of sight. */
function shorten(name: string): string {
  const characters = Array.from(name.trim());
  return characters.length > 80 ? `${characters.slice(0, 79).join('')}…` : characters.join('');
}
