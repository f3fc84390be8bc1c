/** What a person sees, and what the client hears, when a sign-in does not come to its end. */
import { explainAadsts } from '@valetkey/core/entra/aadsts';
import { type ConsentRefusal, refusalStatus } from '../consent/decision-request.ts';
import { renderDecisionRefusedPage, renderDeniedPage, renderExpiredPage } from '../consent/result-pages.ts';
import type { EntraRefusal } from '../entra/entra.ts';
import type { Exchange } from '../http/exchange.ts';
import { renderErrorPage } from '../http/pages/error-page.ts';
import { sendHtml, sendRedirect } from '../http/respond.ts';
import type { OAuthError, SignInRequest } from '../oauth/interactions.ts';
import type { SignInFlow } from './sign-in-flow.ts';

/** Which OAuth error the client hears (RFC 6749 §4.1.2.1). */
const oauthErrors: Record<EntraRefusal['kind'], OAuthError> = {
  declined: 'access_denied',
  interaction: 'access_denied',
  operator: 'server_error',
  invalid: 'server_error',
  unavailable: 'temporarily_unavailable',
};

/**
 * Entra said no. The client gets an OAuth error with its own `state`. A person who changed their mind goes back at
 * once; any other reason is explained on a page first, which leads on to the client.
 */
export async function answerRefusal(
  flow: SignInFlow,
  exchange: Exchange,
  interactionId: string,
  refusal: EntraRefusal,
): Promise<void> {
  const code = refusal.code === undefined ? undefined : `AADSTS${refusal.code}`;
  const continueUrl = await flow.interactions.refuse(interactionId, {
    error: oauthErrors[refusal.kind],
    description: code === undefined ? refusal.description : `${code}: ${refusal.description}`,
  });
  const changedTheirMind =
    refusal.kind === 'declined' && (refusal.code === undefined || refusal.code === 65004);
  if (continueUrl !== undefined && changedTheirMind) return sendRedirect(exchange, continueUrl);
  const known = refusal.code === undefined ? undefined : explainAadsts(refusal.code);
  sendHtml(
    exchange,
    refusal.kind === 'unavailable' ? 503 : refusal.kind === 'declined' ? 403 : 502,
    renderErrorPage({
      title: known?.title ?? 'Microsoft Entra did not sign you in',
      explanation: refusal.description,
      ...(known === undefined ? {} : { whatYouCanDo: known.forPerson, forOperator: known.forOperator }),
      requestId: exchange.id,
      ...(code === undefined ? {} : { code }),
      ...(refusal.correlationId === undefined ? {} : { entraCorrelationId: refusal.correlationId }),
      ...(continueUrl === undefined ? {} : { continueUrl }),
    }),
  );
}

/** Nothing waits for this browser: too late, already answered, or never begun here. */
export function answerExpired(exchange: Exchange): void {
  sendHtml(exchange, 400, renderExpiredPage({ requestId: exchange.id }));
}

/** The callback of a sign-in that another browser approved: the heart of consent phishing (CVE-2026-27124). */
export function answerOtherBrowser(exchange: Exchange): void {
  sendHtml(
    exchange,
    403,
    renderErrorPage({
      title: 'This sign-in was begun elsewhere',
      explanation: 'Another browser approved this sign-in, so it cannot be finished in this one.',
      whatYouCanDo:
        'If somebody sent you a link to sign in, do not use it. Otherwise connect again from your application.',
      requestId: exchange.id,
    }),
  );
}

export function answerDecisionRefused(exchange: Exchange, refusal: ConsentRefusal): void {
  sendHtml(exchange, refusalStatus[refusal], renderDecisionRefusedPage({ refusal, requestId: exchange.id }));
}

export function answerLimited(exchange: Exchange, retryAfterSeconds: number): void {
  exchange.res.setHeader('Retry-After', String(retryAfterSeconds));
  sendHtml(
    exchange,
    429,
    renderErrorPage({
      title: 'Too many sign-ins',
      explanation: 'This application started many sign-ins in a short time.',
      whatYouCanDo: 'Wait a moment, then connect again.',
      requestId: exchange.id,
    }),
  );
}

/** The person denied: a page says so, and leads back to the client, which hears `access_denied`. */
export function answerDenied(
  exchange: Exchange,
  request: SignInRequest,
  continueUrl: string | undefined,
): void {
  if (continueUrl === undefined) return answerExpired(exchange);
  sendHtml(exchange, 200, renderDeniedPage({ clientName: request.client.name, continueUrl }));
}

/** Signed in, but without an app role that lets one in: said here, where a person reads it. */
export async function answerNoAccess(
  flow: SignInFlow,
  exchange: Exchange,
  request: SignInRequest,
  missingRoles: readonly string[],
): Promise<void> {
  const roles = missingRoles.join(' or ');
  const continueUrl = await flow.interactions.refuse(request.id, {
    error: 'access_denied',
    description: `the account lacks the app role ${roles}`,
  });
  sendHtml(
    exchange,
    403,
    renderErrorPage({
      title: 'Your account has no access',
      explanation: `You are signed in, but your account may not use ${request.backend.title}.`,
      whatYouCanDo: 'Ask your administrator for access, and mention the role below.',
      forOperator: `Assign one of these app roles in Microsoft Entra (Enterprise applications, Users and groups): ${roles}.`,
      requestId: exchange.id,
      code: 'missing_role',
      ...(continueUrl === undefined ? {} : { continueUrl }),
    }),
  );
}
