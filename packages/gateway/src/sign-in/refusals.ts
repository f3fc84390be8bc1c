/** What a person sees, and what the client hears, when a sign-in does not come to its end. */
import { createSignInId } from '@valetkey/core/base/sign-in-id';
import { explainAadsts } from '@valetkey/core/entra/aadsts';
import type { Denial } from '@valetkey/core/policy/decide';
import { type ConsentRefusal, refusalStatus } from '../consent/decision-request.ts';
import { renderDecisionRefusedPage, renderDeniedPage, renderExpiredPage } from '../consent/result-pages.ts';
import type { EntraRefusal } from '../entra/entra.ts';
import type { Exchange } from '../http/exchange.ts';
import { renderErrorPage } from '../http/pages/error-page.ts';
import { sendHtml, sendRedirect } from '../http/respond.ts';
import type { OAuthError, SignInRequest } from '../oauth/interactions.ts';
import { auditedSignIn } from './audited-sign-in.ts';
import type { SignInFlow } from './sign-in-flow.ts';

/** Which OAuth error the client hears (RFC 6749 §4.1.2.1). */
const oauthErrors: Record<EntraRefusal['kind'], OAuthError> = {
  declined: 'access_denied',
  interaction: 'access_denied',
  operator: 'server_error',
  invalid: 'server_error',
  unavailable: 'temporarily_unavailable',
};

/** Where a sign-in stood when Entra said no. */
export interface RefusedStep {
  /** Before the person was sent there, or after they came back. */
  readonly event: 'entra.redirect' | 'callback';
  readonly interactionId: string;
  /** Undefined when it has expired meanwhile. */
  readonly request: SignInRequest | undefined;
}

/**
 * Entra said no. The client gets an OAuth error with its own `state`. A person who changed their mind goes back at
 * once; any other reason is explained on a page first, which leads on to the client.
 */
export async function answerRefusal(
  flow: SignInFlow,
  exchange: Exchange,
  step: RefusedStep,
  refusal: EntraRefusal,
): Promise<void> {
  const code = refusal.code === undefined ? undefined : `AADSTS${refusal.code}`;
  noteRefusal(flow, exchange, step, refusal);
  const continueUrl = await flow.interactions.refuse(step.interactionId, {
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
      ...(known === undefined ? describeWithoutCode(refusal) : describeCode(known, refusal)),
      requestId: exchange.id,
      ...(code === undefined ? {} : { code }),
      ...(refusal.correlationId === undefined ? {} : { entraCorrelationId: refusal.correlationId }),
      ...(continueUrl === undefined ? {} : { continueUrl }),
    }),
  );
}

function describeCode(known: ReturnType<typeof explainAadsts>, refusal: EntraRefusal) {
  const { title, forPerson: whatYouCanDo, forOperator } = known;
  return { title, explanation: refusal.description, whatYouCanDo, forOperator };
}

/** Entra gave no code: it could not be asked, or what it said did not pass our checks. */
function describeWithoutCode({ kind, description }: EntraRefusal) {
  if (kind === 'unavailable') {
    return {
      title: 'Sign-in is not available right now',
      explanation: 'Microsoft Entra cannot be reached at the moment.',
      whatYouCanDo: 'Try again in a few minutes.',
      forOperator: description,
    };
  }
  return {
    title: 'Microsoft Entra did not sign you in',
    explanation: description,
    whatYouCanDo:
      'Go back to your application and connect again. If it stays, tell your administrator the request number below.',
  };
}

/** The operator hears of it too: in the audit under the id on the page, and in the log where it is for them to mend. */
function noteRefusal(
  flow: SignInFlow,
  exchange: Exchange,
  { event, interactionId, request }: RefusedStep,
  refusal: EntraRefusal,
): void {
  const isFault = refusal.kind === 'unavailable' || refusal.kind === 'operator';
  const reason = refusal.code === undefined ? (refusal.reason ?? refusal.kind) : `AADSTS${refusal.code}`;
  const { correlationId: entraCorrelationId, description } = refusal;
  flow.audit.record({
    event,
    outcome: isFault ? 'error' : 'denied',
    correlationId: exchange.id,
    ip: exchange.ip,
    reason,
    ...(request === undefined ? { signInId: createSignInId(interactionId) } : auditedSignIn(request)),
    ...(entraCorrelationId === undefined ? {} : { entraCorrelationId }),
  });
  if (isFault)
    flow.log.warn(
      { requestId: exchange.id, reason, description, entraCorrelationId },
      'Entra did not sign a person in',
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

/** Signed in, but not of those whom the rules let in: said here, where a person reads it. */
export async function answerNoAccess(
  flow: SignInFlow,
  exchange: Exchange,
  request: SignInRequest,
  { denial, username }: { readonly denial: Denial; readonly username: string | undefined },
): Promise<void> {
  const account = username === undefined ? 'Your account' : `Your account ${username}`;
  const continueUrl = await flow.interactions.refuse(request.id, {
    error: 'access_denied',
    description: denial.description,
  });
  sendHtml(
    exchange,
    403,
    renderErrorPage({
      title: 'Your account has no access',
      explanation: `${account} is signed in, but may not use ${request.backend.title}.`,
      ...adviceFor(denial),
      requestId: exchange.id,
      code: denial.reason,
      ...(continueUrl === undefined ? {} : { continueUrl }),
    }),
  );
}

function adviceFor({ reason, missingRoles, description }: Denial) {
  if (reason === 'missing_role') {
    const roles = missingRoles.join(' or ');
    return {
      whatYouCanDo: `Ask your administrator for the role ${roles}, or connect again with another account.`,
      forOperator:
        'App roles are assigned in Microsoft Entra under Enterprise applications, Users and groups.',
    };
  }
  const forOperator = `The rules of the gateway: ${description}.`;
  if (reason === 'missing_group') {
    const whatYouCanDo = 'Ask your administrator to add you to a group that may use it.';
    return { whatYouCanDo, forOperator };
  }
  if (reason === 'wrong_client')
    return { whatYouCanDo: 'Connect from an application that your administrator allows here.', forOperator };
  return { whatYouCanDo: 'Connect again with another account, or ask your administrator.', forOperator };
}
