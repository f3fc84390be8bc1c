import { ok } from '@valetkey/core/base/result';
import { serializeCookie } from '../http/cookies.ts';
import type { Exchange } from '../http/exchange.ts';
import { sendRedirect } from '../http/respond.ts';
import type { SignInRequest } from '../oauth/interactions.ts';
import { auditedSignIn } from './audited-sign-in.ts';
import { findEntraRequest } from './entra-request.ts';
import { answerRefusal } from './refusals.ts';
import type { PendingApproval, SignInFlow } from './sign-in-flow.ts';

/**
 * Sends the browser to Entra. The only place where a `state` and its cookie come into being, and it is reached
 * only after approval: MCP security best practices demand that neither exists before (D62), and that both exist
 * for every redirect to Entra, remembered consent or not (D63).
 *
 * @param person `personId` of whoever probably sits there: what was demanded of them is asked of Entra.
 */
export async function startEntra(
  flow: SignInFlow,
  exchange: Exchange,
  request: SignInRequest,
  { person, ...approval }: PendingApproval & { readonly person?: string | undefined },
): Promise<void> {
  const { scopes, claims, stepUp } = await findEntraRequest(flow, request, person);
  const started = await flow.transactions.begin(async (state) => {
    const signIn = await flow.entra.startSignIn({
      state,
      scopes,
      ...(claims === undefined ? {} : { claims }),
      ...(request.loginHint === undefined ? {} : { loginHint: request.loginHint }),
    });
    if (!signIn.ok) return signIn;
    const { url, secrets } = signIn.value;
    const details = { interactionId: request.id, secrets, approval };
    return ok({ url, details: stepUp === undefined ? details : { ...details, stepUp } });
  });
  const step = { event: 'entra.redirect', interactionId: request.id, request } as const;
  if (!started.ok) return answerRefusal(flow, exchange, step, started.error);
  flow.audit.record({
    event: 'entra.redirect',
    outcome: 'success',
    reason: approval.rememberedFor === undefined ? 'consent_given' : 'consent_remembered',
    correlationId: exchange.id,
    ip: exchange.ip,
    ...auditedSignIn(request),
  });
  const { url, cookieName, cookieValue, lifetimeSeconds } = started.value;
  exchange.res.appendHeader(
    'Set-Cookie',
    serializeCookie(flow.config.publicUrl, cookieName, cookieValue, lifetimeSeconds),
  );
  sendRedirect(exchange, url);
}
