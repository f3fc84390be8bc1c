import { nowSeconds } from '@valetkey/core/base/clock';
import { err, type Result } from '@valetkey/core/base/result';
import { createSessionId, createSignInId } from '@valetkey/core/base/sign-in-id';
import type { Denial } from '@valetkey/core/policy/decide';
import { type Principal, personId } from '@valetkey/core/policy/principal';
import type { EntraPerson, EntraRefusal } from '../entra/entra.ts';
import { findCookie, readCookies, serializeCookie } from '../http/cookies.ts';
import type { Exchange } from '../http/exchange.ts';
import { sendRedirect } from '../http/respond.ts';
import type { SignInRequest } from '../oauth/interactions.ts';
import { BROWSER_LIFETIME_SECONDS } from '../session/browsers.ts';
import { signInCookieName } from '../session/sign-in-transactions.ts';
import { auditedSignIn } from './audited-sign-in.ts';
import { browserCookie } from './consent-step.ts';
import { answerExpired, answerNoAccess, answerOtherBrowser, answerRefusal } from './refusals.ts';
import { stepUpKey } from './entra-request.ts';
import type { PendingSignIn, SignInFlow } from './sign-in-flow.ts';
import { startEntra } from './start-entra.ts';

/** GET /auth/callback: the browser comes back from Entra. */
export async function finishSignIn(flow: SignInFlow, exchange: Exchange): Promise<void> {
  const query = exchange.url.searchParams;
  const state = single(query, 'state');
  const pending = state === undefined ? err('unknown' as const) : await takePending(flow, exchange, state);
  if (!pending.ok) {
    audit(flow, exchange, {
      outcome: 'denied',
      reason: pending.error === 'unknown' ? 'unknown_state' : 'other_browser',
    });
    return pending.error === 'unknown' ? answerExpired(exchange) : answerOtherBrowser(exchange);
  }
  const { interactionId } = pending.value;
  const signInId = createSignInId(interactionId);
  const sessionId = createSessionId(signInId, flow.random);
  const signedIn = await redeem(flow, query, pending.value, sessionId);
  if (!signedIn.ok) {
    await giveUpStepUp(flow, pending.value, signedIn.error);
    const request = await flow.interactions.find(interactionId);
    return answerRefusal(flow, exchange, { event: 'callback', interactionId, request }, signedIn.error);
  }
  const request = await flow.interactions.find(interactionId);
  if (request === undefined) {
    await flow.entra.forget(sessionId);
    audit(flow, exchange, { outcome: 'denied', reason: 'expired', signInId });
    return answerExpired(exchange);
  }
  return admit(flow, exchange, { request, pending: pending.value, person: signedIn.value, sessionId });
}

interface Arrival {
  readonly request: SignInRequest;
  readonly pending: PendingSignIn;
  readonly person: EntraPerson;
  readonly sessionId: string;
}

/** The person is known now: is it the one who consented, may they enter, and if so, the grant. */
async function admit(flow: SignInFlow, exchange: Exchange, arrival: Arrival): Promise<void> {
  const { request, pending, person, sessionId } = arrival;
  const facts = { ...personFacts(person), ...auditedSignIn(request) };
  await rememberBrowser(flow, exchange, personId(person));
  const { rememberedFor } = pending.approval;
  if (rememberedFor !== undefined && rememberedFor !== personId(person)) {
    // Another person than the one whose consent let us skip the page: this one is asked for themselves.
    await flow.entra.forget(sessionId);
    audit(flow, exchange, { outcome: 'denied', reason: 'other_person', ...facts });
    return sendRedirect(exchange, `${flow.config.publicUrl}/consent/${request.id}`);
  }
  if (await isStepUpDue(flow, arrival)) {
    // What Entra was asked for now is not what a call of this person's needs: once more, without a question to them.
    await flow.entra.forget(sessionId);
    return startEntra(flow, exchange, request, { ...pending.approval, person: personId(person) });
  }
  const grouped = await flow.groups.resolve(person, { id: sessionId, resource: request.backend.resource });
  if (!grouped.ok) {
    await flow.entra.forget(sessionId);
    const step = { event: 'callback', interactionId: request.id, request } as const;
    return answerRefusal(flow, exchange, step, grouped.error);
  }
  const principal = principalOf(request, grouped.value, sessionId);
  const denial = findDenial(flow, request, principal);
  if (denial !== undefined) {
    await flow.entra.forget(sessionId);
    audit(flow, exchange, { outcome: 'denied', reason: denial.reason, ...facts });
    return answerNoAccess(flow, exchange, request, { denial, username: person.username });
  }
  await saveConsent(flow, request, pending, personId(person));
  await createSession(flow, principal, request.backend.resource);
  const continueUrl = await flow.interactions.approve(exchange, request, {
    sessionId,
    person: personId(person),
    scopes: request.scopes,
  });
  if (continueUrl === undefined) return answerExpired(exchange);
  audit(flow, exchange, { outcome: 'success', sessionId, ...facts });
  sendRedirect(exchange, continueUrl);
}

/** What keeps the person out, whatever the client asks for. Scopes do not: a client can ask for more of them. */
function findDenial(flow: SignInFlow, request: SignInRequest, principal: Principal): Denial | undefined {
  const policy = flow.policies.get(request.backend.name);
  if (policy === undefined) throw new Error('a resource without a policy');
  const entry = policy.decide(principal, { method: 'ping', kind: 'request' });
  return entry.allow || entry.reason === 'insufficient_scope' ? undefined : entry;
}

/** A sign-in that asked for all that was demanded settles it, whatever Entra made of it. */
async function isStepUpDue(flow: SignInFlow, { request, pending, person }: Arrival): Promise<boolean> {
  const key = stepUpKey(request, personId(person));
  const due = await flow.stepUps.find(key);
  if (due === undefined) return false;
  if (pending.stepUp?.person !== key.person || pending.stepUp.id !== due.id) return true;
  await flow.stepUps.settle(key, due.id);
  return false;
}

/** Somebody who cannot bring what a call needs must still be able to sign in for everything else. */
async function giveUpStepUp(flow: SignInFlow, pending: PendingSignIn, refusal: EntraRefusal): Promise<void> {
  if (pending.stepUp === undefined || refusal.kind === 'unavailable') return;
  const request = await flow.interactions.find(pending.interactionId);
  if (request === undefined) return;
  await flow.stepUps.settle(stepUpKey(request, pending.stepUp.person), pending.stepUp.id);
}

async function takePending(flow: SignInFlow, exchange: Exchange, state: string) {
  const name = signInCookieName(state);
  const { publicUrl } = flow.config;
  const taken = await flow.transactions.take(
    state,
    findCookie(publicUrl, readCookies(exchange.req.headers.cookie), name),
  );
  if (taken.ok) exchange.res.appendHeader('Set-Cookie', serializeCookie(publicUrl, name, '', 0));
  return taken;
}

async function redeem(
  flow: SignInFlow,
  query: URLSearchParams,
  pending: PendingSignIn,
  sessionId: string,
): Promise<Result<EntraPerson, EntraRefusal>> {
  if (query.has('error')) return err(flow.entra.explainCallbackError(query));
  const code = single(query, 'code');
  if (code === undefined)
    return err({ kind: 'invalid', description: 'Entra ID sent neither a code nor an error.' });
  return flow.entra.finishSignIn({ code, secrets: pending.secrets, sessionId });
}

function principalOf(request: SignInRequest, person: EntraPerson, sessionId: string): Principal {
  return { ...person, scopes: request.scopes, clientId: request.client.id, sessionId };
}

async function createSession(flow: SignInFlow, principal: Principal, resource: string): Promise<void> {
  const { scopes: _scopes, sessionId, ...rest } = principal;
  const now = nowSeconds(flow.clock);
  const times = { createdAtSeconds: now, verifiedAtSeconds: now };
  await flow.sessions.create({ ...rest, ...times, id: sessionId, resource });
}

async function saveConsent(
  flow: SignInFlow,
  request: SignInRequest,
  pending: PendingSignIn,
  person: string,
): Promise<void> {
  if (!pending.approval.remember) return;
  await flow.consents.save({
    person,
    clientId: request.client.id,
    redirectUri: request.redirectUri,
    resource: request.backend.resource,
    scopes: request.scopes,
    outcome: 'allowed',
  });
}

async function rememberBrowser(flow: SignInFlow, exchange: Exchange, person: string): Promise<void> {
  const { publicUrl } = flow.config;
  const presented = findCookie(publicUrl, readCookies(exchange.req.headers.cookie), browserCookie);
  const browserId = await flow.browsers.remember(presented, person);
  exchange.res.appendHeader(
    'Set-Cookie',
    serializeCookie(publicUrl, browserCookie, browserId, BROWSER_LIFETIME_SECONDS),
  );
}

/** A parameter that is there once; twice is an attempt to be read differently by two readers. */
function single(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  return values.length === 1 && values[0] !== '' ? values[0] : undefined;
}

function personFacts(person: EntraPerson) {
  return { tenantId: person.tenantId, objectId: person.objectId };
}

function audit(
  flow: SignInFlow,
  exchange: Exchange,
  facts: Omit<Parameters<SignInFlow['audit']['record']>[0], 'event' | 'correlationId' | 'ip'>,
): void {
  flow.audit.record({ event: 'callback', correlationId: exchange.id, ip: exchange.ip, ...facts });
}
