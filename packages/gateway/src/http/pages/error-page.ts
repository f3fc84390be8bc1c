import { type Html, html, safeHref } from './html.ts';
import { renderPage } from './layout.ts';

export interface ErrorView {
  /** What happened, in the person's words: `The sign-in has expired`. */
  readonly title: string;
  readonly explanation: string;
  readonly whatYouCanDo?: string;
  /** What only the operator of this gateway can set right; folded away. */
  readonly forOperator?: string;
  readonly requestId: string;
  /** An address of ours that goes on to the application, so that it learns of the failure too. */
  readonly continueUrl?: string;
  /** An address of somebody else's, offered with its host in view and never followed by itself. */
  readonly foreignUrl?: string;
  readonly entraCorrelationId?: string;
  /** `AADSTS…`, or an OAuth error code. */
  readonly code?: string;
}

/** Time to read before the page goes on by itself; the request and correlation ids can be copied until then. */
const readingSeconds = 120;

/** A page for a person who is stuck: what happened, what they can do, and what to quote to whom. */
export function renderErrorPage(view: ErrorView): Html {
  return renderPage({
    title: view.title,
    ...(view.continueUrl === undefined
      ? {}
      : { refresh: { seconds: readingSeconds, url: view.continueUrl } }),
    body: html`<h1>${view.title}</h1>
<p class="lead">${view.explanation}</p>
${view.whatYouCanDo !== undefined && html`<div class="note calm"><p><b>What you can do.</b> ${view.whatYouCanDo}</p></div>`}
${view.forOperator !== undefined && html`<details><summary>For the administrator</summary><div><p>${view.forOperator}</p></div></details>`}
${view.continueUrl !== undefined && html`<p class="buttons"><a class="button" id="continue" href="${view.continueUrl}">Back to the application</a></p>`}
${view.foreignUrl !== undefined && renderForeignLink(view.foreignUrl)}
<div class="facts">
${view.code !== undefined && html`<p>Code: <code id="code">${view.code}</code></p>`}
<p>Request: <code id="request-id">${view.requestId}</code></p>
${view.entraCorrelationId !== undefined && html`<p>Microsoft Entra correlation: <code>${view.entraCorrelationId}</code></p>`}
</div>`,
  });
}

function renderForeignLink(url: string): Html {
  const host = URL.parse(url)?.host ?? '';
  return html`<p class="buttons"><a class="button" id="leave" href="${safeHref(url) ?? ''}" rel="noreferrer">Go to <bdi>${host}</bdi></a></p>`;
}
