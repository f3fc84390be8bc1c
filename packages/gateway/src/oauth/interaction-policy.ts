import { interactionPolicy } from 'oidc-provider';
import { isApprovedHere } from './approval-proof.ts';

/**
 * Every authorization request asks the person, whatever a session cookie says: oidc-provider's own sessions are
 * not used to skip sign-in or consent, since one browser session shared by all clients is what a confused deputy
 * needs (MCP security best practices, "Confused Deputy"). Whether a consent may be remembered is decided in the
 * sign-in flow, where browser, person, client, redirect and scopes are known.
 *
 * An answer counts in the browser that gave it; in any other one the question is asked (`approval-proof.ts`).
 *
 * The three prompts are those a client may name in `prompt` (Claude Code sends `consent`); all lead to one page.
 */
export function createInteractionPolicy(publicUrl: string): interactionPolicy.DefaultPolicy {
  const { Check, Prompt, base } = interactionPolicy;
  const isUnanswered = new Check(
    'sign_in',
    'sign-in and consent are needed',
    'interaction_required',
    (ctx) =>
      ctx.oidc.result?.login === undefined ||
      ctx.oidc.result.consent === undefined ||
      !isApprovedHere(ctx, publicUrl),
  );
  const policy = base();
  policy.clear();
  policy.add(new Prompt({ name: 'consent', requestable: true }, isUnanswered));
  policy.add(new Prompt({ name: 'login', requestable: true }));
  policy.add(new Prompt({ name: 'select_account', requestable: true }));
  return policy;
}
