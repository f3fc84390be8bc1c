import { parseClaimsChallenge } from '@valetkey/core/entra/claims-challenge';
import { err, ok } from '@valetkey/core/base/result';
import type { Principal } from '@valetkey/core/policy/principal';
import type { Logger } from 'pino';
import type { EntraRefusal, PersonTokens, TokenFlow } from '../../entra/entra.ts';
import type { StepUp } from '../../session/step-ups.ts';
import { StoreUnavailable } from '../../store/driver.ts';
import type { BackendFault } from '../backend-proxy.ts';
import type { BackendCredential, Shown } from './backend-credential.ts';
import { faultOf, showOther, showToken, tokenOf } from './bearer.ts';

/** Ends the session and keeps what its next sign-in has to ask of Entra. @param reason for the audit. */
export type DemandSignIn = (sessionId: string, wanted: StepUp, reason: string) => Promise<void>;

type Token = ReturnType<PersonTokens['tokenFor']>;

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

  async function show(principal: Principal, acquired: Token): Promise<Shown> {
    try {
      const token = await acquired;
      return token.ok ? showToken(token, faultOf) : err(await explain(principal, token.error));
    } catch (fault) {
      if (fault instanceof StoreUnavailable) return err('store_unavailable');
      throw fault;
    }
  }

  return {
    headerNames: ['authorization'],
    headersFor(principal) {
      if (principal === undefined) return ok({});
      const token = tokens.tokenFor(principal.sessionId, scopes, { flow });
      if (!(token instanceof Promise) && token.ok) return showToken(token, faultOf);
      return show(principal, token);
    },
    async renewed(principal, shown, challenge) {
      const claims = parseClaimsChallenge(challenge);
      const more = { flow, claims, rejected: tokenOf(shown) };
      return showOther(await show(principal, tokens.tokenFor(principal.sessionId, scopes, more)), shown);
    },
    close: async () => {},
  };
}
