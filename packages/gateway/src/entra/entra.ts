/**
 * Room `entra`: the upstream leg. MSAL lives here and nowhere else. Knows no MCP client and no OAuth of ours;
 * its callers never see an Entra token.
 */
import type { Result } from '@valetkey/core/base/result';

/** The person as Entra's validated id token names them. */
export interface EntraPerson {
  readonly tenantId: string;
  readonly objectId: string;
  readonly displayName?: string;
  readonly username?: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
}

/** What must survive between the redirect to Entra and the callback. Sealed in the store; single use. */
export interface SignInSecrets {
  readonly codeVerifier: string;
  readonly nonce: string;
}

/** Why Entra, or the way to it, said no. Safe to show: holds no token, code or secret. */
export interface EntraRefusal {
  /**
   * `declined`: the person or Entra refused (RFC 6749 §4.1.2.1 `access_denied`).
   * `interaction`: the session needs a new sign-in.
   * `operator`: our registration or credential is wrong; the operator must act.
   * `unavailable`: try again later.
   * `invalid`: an answer that fails validation (nonce, issuer, tenant, signature).
   */
  readonly kind: 'declined' | 'interaction' | 'operator' | 'unavailable' | 'invalid';
  /** AADSTS number, when Entra gave one. */
  readonly code?: number;
  readonly description: string;
  readonly correlationId?: string;
  readonly retryAfterSeconds?: number;
}

export interface Entra {
  /** The URL of Entra's authorize endpoint: own PKCE (S256), `state` as given, own nonce, `response_mode=query`. */
  startSignIn(request: {
    readonly state: string;
    readonly prompt?: 'select_account' | 'login';
    readonly loginHint?: string;
  }): Promise<Result<{ readonly url: string; readonly secrets: SignInSecrets }, EntraRefusal>>;
  /** Redeems the code of the callback, validates the id token and keeps the Entra tokens sealed under `sessionId`. */
  finishSignIn(request: {
    readonly code: string;
    readonly secrets: SignInSecrets;
    readonly sessionId: string;
  }): Promise<Result<EntraPerson, EntraRefusal>>;
  /** Turns `error=…&error_description=…` of a callback into a refusal. */
  explainCallbackError(query: URLSearchParams): EntraRefusal;
  /** Renews the session's Entra tokens and reads the person anew (roles may have changed). */
  renew(sessionId: string): Promise<Result<EntraPerson, EntraRefusal>>;
  /** Forgets the session's Entra tokens. */
  forget(sessionId: string): Promise<void>;
}
