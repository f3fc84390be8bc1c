import { parseClaimsChallenge } from '@valetkey/core/entra/claims-challenge';
import { ok } from '@valetkey/core/base/result';
import type { Principal } from '@valetkey/core/policy/principal';
import type { Logger } from 'pino';
import type { EntraRefusal, PersonTokens, TokenFlow, TokenOptions } from '../../entra/entra.ts';
import type { StepUp } from '../../session/step-ups.ts';
import type { BackendFault } from '../backend-proxy.ts';
import type { BackendCredential, Shown } from './backend-credential.ts';
import { faultOf, showOther, showToken, tokenOf } from './bearer.ts';

/** Ends the session and keeps what its next sign-in has to ask of Entra. @param reason for the audit. */
export type DemandSignIn = (sessionId: string, wanted: StepUp, reason: string) => Promise<void>;

export interface PersonTokenCredentialOptions {
  readonly backend: string;
  /** Of the backend's API. */
  readonly scopes: readonly string[];
  readonly flow: TokenFlow;
  readonly tokens: Pick<PersonTokens, 'tokenFor'>;
  readonly demandSignIn: DemandSignIn;
  readonly log: Pick<Logger, 'warn'>;
}

/**
 * The person's own token for the backend's API: the backend sees them as if they had come directly, and what they may
 * not do there they may not do through the gateway.
 *
 * Where Entra wants the person (Conditional Access, consent, a session that was revoked), or the backend does by a claims
 * challenge that Entra cannot answer without them, the session ends and the client is told to sign in: the scopes and
 * the claims go along to Entra then. A challenge alone would not do: clients try their refresh token first.
 */
export function createPersonTokenCredential(options: PersonTokenCredentialOptions): BackendCredential {
  const { backend, scopes, flow, tokens, demandSignIn, log } = options;

  async function explain(principal: Principal, refusal: EntraRefusal): Promise<BackendFault> {
    const { kind, code, claims, description } = refusal;
    const reason = code === undefined ? `entra_${kind}` : `AADSTS${code}`;
    if (kind === 'interaction') {
      const wanted = claims === undefined ? { scopes } : { scopes, claims };
      await demandSignIn(principal.sessionId, wanted, reason);
      return { kind: 'sign_in_again', reason };
    }
    if (kind === 'declined') return { kind: 'not_entitled', reason, description };
    log.warn({ backend, reason, description }, 'no token of the person for a backend');
    return faultOf(refusal);
  }

  async function show(principal: Principal, more?: TokenOptions): Promise<Shown> {
    const token = await tokens.tokenFor(principal.sessionId, scopes, { flow, ...more });
    if (token.ok) return showToken(token, faultOf);
    return { ok: false, error: await explain(principal, token.error) };
  }

  return {
    headerNames: ['authorization'],
    headersFor(principal) {
      if (principal === undefined) return ok({});
      const token = tokens.tokenFor(principal.sessionId, scopes, { flow });
      // What was refused is asked again there, and answered from memory.
      return token instanceof Promise || !token.ok ? show(principal) : showToken(token, faultOf);
    },
    async renewed(principal, shown, challenge) {
      const claims = parseClaimsChallenge(challenge);
      return showOther(await show(principal, { claims, rejected: tokenOf(shown) }), shown);
    },
    close: async () => {},
  };
}
