import { nowSeconds } from '@valetkey/core/base/clock';
import { randomId } from '@valetkey/core/base/random';
import { createSignInId } from '@valetkey/core/base/sign-in-id';
import type { AuditEvent } from '../audit/event.ts';
import { createCsrfToken } from '../consent/csrf.ts';
import { checkDecisionRequest } from '../consent/decision-request.ts';
import { renderConsentPage } from '../consent/page.ts';
import { mayUseRememberedConsent } from '../consent/remembered.ts';
import { parseForm, readBody } from '../http/body.ts';
import { findCookie, readCookies, serializeCookie } from '../http/cookies.ts';
import type { Exchange } from '../http/exchange.ts';
import { sendHtml, sendRedirect } from '../http/respond.ts';
import type { SignInRequest } from '../oauth/interactions.ts';
import type { Consent } from '../session/session.ts';
import { auditedSignIn } from './audited-sign-in.ts';
import { consentView } from './consent-view.ts';
import { answerDenied, answerExpired, answerDecisionRefused, answerLimited } from './refusals.ts';
import type { SignInFlow } from './sign-in-flow.ts';
import { startEntra } from './start-entra.ts';

export const browserCookie = 'valetkey-browser';
const formCookie = 'valetkey-form';
const maxFormBytes = 8 * 1024;

/** GET /consent/{id}: shows the page, unless this person's remembered answer may be used. */
export async function showConsent(flow: SignInFlow, exchange: Exchange): Promise<void> {
  const request = await findRequest(flow, exchange);
  if (request === undefined) return answerExpired(exchange);
  if (request.scopes.length === 0) {
    return finishWithError(
      flow,
      exchange,
      request,
      'invalid_scope',
      'none of the requested scopes belongs to this server',
    );
  }
  const remembered = await findRemembered(flow, exchange, request);
  if (remembered?.outcome === 'denied') {
    return finishWithError(flow, exchange, request, 'access_denied', 'the person denied this client before');
  }
  if (remembered !== undefined) {
    const { person } = remembered;
    return startEntra(flow, exchange, request, { remember: false, rememberedFor: person, person });
  }
  const { publicUrl } = flow.config;
  const browserId = findFormCookie(flow, exchange) ?? randomId(flow.random);
  exchange.res.appendHeader(
    'Set-Cookie',
    serializeCookie(publicUrl, formCookie, browserId, flow.config.lifetimes.signInSeconds),
  );
  const csrfToken = createCsrfToken(flow.formKeys()[0] ?? new Uint8Array(), browserId, request.id);
  sendHtml(exchange, 200, renderConsentPage(consentView(flow, exchange, request, csrfToken)));
}

/** POST /consent/{id}: the person's answer, taken once. */
export async function decideConsent(flow: SignInFlow, exchange: Exchange): Promise<void> {
  const body = await readBody(exchange, maxFormBytes);
  if (!body.ok) return answerDecisionRefused(exchange, 'decision-missing');
  const form = parseForm(exchange.req.headers['content-type'], body.value);
  if (!form.ok) return answerDecisionRefused(exchange, 'decision-missing');
  const interactionId = interactionIdOf(exchange);
  const judge = (csrfKey: Uint8Array) =>
    checkDecisionRequest({
      method: exchange.method,
      headers: exchange.req.headers,
      publicUrl: flow.config.publicUrl,
      form: form.value,
      browserId: findFormCookie(flow, exchange),
      csrfKey,
      interactionId,
    });
  const verdicts = flow.formKeys().map(judge);
  const decided = verdicts.find(({ ok }) => ok) ?? judge(flow.formKeys()[0] ?? new Uint8Array());
  if (!decided.ok) {
    const signInId = createSignInId(interactionId);
    audit(flow, exchange, 'consent.deny', { outcome: 'error', reason: decided.error, signInId });
    return answerDecisionRefused(exchange, decided.error);
  }
  const request = await findRequest(flow, exchange);
  if (request === undefined) return answerExpired(exchange);
  const limit = flow.checkClientLimit('consent', request.client.id);
  if (!limit.ok) return answerLimited(exchange, limit.error.retryAfterSeconds);
  if (!(await takeDecision(flow, request))) return answerExpired(exchange);

  const { decision, remember } = decided.value;
  audit(flow, exchange, decision === 'allow' ? 'consent.allow' : 'consent.deny', {
    outcome: 'success',
    request,
  });
  if (decision === 'allow') {
    const person = await findPerson(flow, exchange);
    return startEntra(flow, exchange, request, { remember, person });
  }
  await rememberDenial(flow, exchange, request);
  const continueUrl = await flow.interactions.refuse(request.id, {
    error: 'access_denied',
    description: 'the person denied the request',
  });
  return answerDenied(exchange, request, continueUrl);
}

/** The request of this browser, and only if it is the one in the address. */
async function findRequest(flow: SignInFlow, exchange: Exchange): Promise<SignInRequest | undefined> {
  const request = await flow.interactions.findOfBrowser(exchange);
  return request?.id === interactionIdOf(exchange) ? request : undefined;
}

function interactionIdOf(exchange: Exchange): string {
  return exchange.url.pathname.slice('/consent/'.length);
}

/** Of two answers to one page, sent twice or from two tabs, the first counts. */
function takeDecision(flow: SignInFlow, request: SignInRequest): Promise<boolean> {
  const decisions = flow.store.collection<{ readonly decided: true }>('consent.decided');
  return decisions.create(
    request.id,
    { decided: true },
    { lifetimeSeconds: flow.config.lifetimes.signInSeconds },
  );
}

function findFormCookie(flow: SignInFlow, exchange: Exchange): string | undefined {
  return findCookie(flow.config.publicUrl, readCookies(exchange.req.headers.cookie), formCookie);
}

/** Who signed in here last, if a cookie of ours says so: a guess until Entra confirms it. */
function findPerson(flow: SignInFlow, exchange: Exchange): Promise<string | undefined> {
  const cookies = readCookies(exchange.req.headers.cookie);
  return flow.browsers.find(findCookie(flow.config.publicUrl, cookies, browserCookie));
}

async function findRemembered(
  flow: SignInFlow,
  exchange: Exchange,
  request: SignInRequest,
): Promise<Consent | undefined> {
  const person = await findPerson(flow, exchange);
  if (person === undefined) return undefined;
  const asked = {
    clientId: request.client.id,
    redirectUri: request.redirectUri,
    resource: request.backend.resource,
  };
  const consent = await flow.consents.find({ person, ...asked });
  if (consent?.outcome !== 'allowed') return consent;
  const mayUse = mayUseRememberedConsent({
    secFetchSite: headerText(exchange, 'sec-fetch-site'),
    consent,
    nowSeconds: nowSeconds(flow.clock),
    request: { person, ...asked, scopes: request.scopes },
  });
  return mayUse ? consent : undefined;
}

async function rememberDenial(flow: SignInFlow, exchange: Exchange, request: SignInRequest): Promise<void> {
  const person = await findPerson(flow, exchange);
  if (person === undefined) return;
  await flow.consents.save({
    person,
    clientId: request.client.id,
    redirectUri: request.redirectUri,
    resource: request.backend.resource,
    scopes: request.scopes,
    outcome: 'denied',
  });
}

async function finishWithError(
  flow: SignInFlow,
  exchange: Exchange,
  request: SignInRequest,
  error: 'invalid_scope' | 'access_denied',
  description: string,
): Promise<void> {
  audit(flow, exchange, 'authorize', { outcome: 'denied', reason: error, request });
  const continueUrl = await flow.interactions.refuse(request.id, { error, description });
  if (continueUrl === undefined) return answerExpired(exchange);
  sendRedirect(exchange, continueUrl);
}

function headerText(exchange: Exchange, name: string): string | undefined {
  const value = exchange.req.headers[name];
  return typeof value === 'string' ? value : undefined;
}

function audit(
  flow: SignInFlow,
  exchange: Exchange,
  event: 'consent.allow' | 'consent.deny' | 'authorize',
  { request, ...facts }: Pick<AuditEvent, 'outcome' | 'reason' | 'signInId'> & { request?: SignInRequest },
): void {
  flow.audit.record({
    event,
    ...facts,
    correlationId: exchange.id,
    ip: exchange.ip,
    ...(request === undefined ? {} : auditedSignIn(request)),
  });
}
