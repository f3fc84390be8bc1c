import { renderErrorPage } from '../http/pages/error-page.ts';
import { type Html, html } from '../http/pages/html.ts';
import { renderPage } from '../http/pages/layout.ts';
import type { ConsentRefusal } from './decision-request.ts';

export interface DeniedView {
  readonly clientName: string;
  /** An address of ours that goes on to the client with `access_denied`. */
  readonly continueUrl: string;
}

/**
 * After Deny: says that nothing was given, and goes on to the client by itself, so that the client learns of it.
 * By `Refresh`, since there is no script; the link is for whoever does not want to wait.
 */
export function renderDeniedPage(view: DeniedView): Html {
  return renderPage({
    title: 'Access denied',
    refresh: { seconds: 3, url: view.continueUrl },
    body: html`<h1>Access denied</h1>
<p class="lead"><b><bdi>${view.clientName}</bdi></b> got no access, as you decided. This page goes back to it in a moment; only then does the application know.</p>
<p class="buttons"><a class="button" id="continue" href="${view.continueUrl}">Back to the application</a></p>`,
  });
}

/** For a question that was answered before, has expired, or was never asked in this browser: one page for all. */
export function renderExpiredPage(view: { readonly requestId: string }): Html {
  return renderErrorPage({
    title: 'This page is no longer valid',
    explanation: 'The question was already answered, has expired, or was asked in another browser.',
    whatYouCanDo: 'Go back to the application and connect again.',
    requestId: view.requestId,
  });
}

/** The page for a refused decision. Says the same for all reasons that may be an attack; the audit log knows which. */
export function renderDecisionRefusedPage(view: {
  readonly refusal: ConsentRefusal;
  readonly requestId: string;
}): Html {
  const isBroken = view.refusal === 'wrong-method' || view.refusal === 'decision-missing';
  return renderErrorPage({
    title: isBroken ? 'The answer is incomplete' : 'This answer was not accepted',
    explanation: isBroken
      ? 'The form did not say whether to allow or to deny.'
      : 'The answer did not come from the page that we showed in this browser, so nothing was allowed.',
    whatYouCanDo: 'Go back to the application and connect again. Keep cookies switched on for this site.',
    forOperator:
      'publicUrl must be exactly the address in the browser, and a proxy in front must pass Origin and cookies unchanged.',
    requestId: view.requestId,
  });
}
