/**
 * Room `entra`: the upstream leg. MSAL lives here and nowhere else. Knows no MCP client and no OAuth of ours;
 * its callers see no Entra token but the one they ask `PersonTokens` for, and that one is for an API, never for a client.
 */
import type { Result } from '@valetkey/core/base/result';
import type { Secret } from '@valetkey/core/base/secret';

/** The person as Entra's validated id token names them. */
export interface EntraPerson {
  readonly tenantId: string;
  readonly objectId: string;
  readonly displayName?: string;
  readonly username?: string;
  readonly roles: readonly string[];
  /** As the id token lists them; empty, and meaningless, with `hasGroupOverage`. */
  readonly groups: readonly string[];
  /** The groups did not fit into the id token: see `sign-in/groups.ts`. */
  readonly hasGroupOverage?: boolean;
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
  /** For the audit, where there is no AADSTS number and `kind` says too little. */
  readonly reason?: string;
  readonly correlationId?: string;
  readonly retryAfterSeconds?: number;
  /** With `interaction`: what the next sign-in has to carry (a claims challenge, as JSON), so that Entra says yes then. */
  readonly claims?: string;
}

/**
 * How a person's token for an API is had. `refresh`: Entra's refresh token of the session, which is good for every API
 * that the app registration may call. `onBehalfOf`: with a token of the application itself as assertion (RFC 7523),
 * for an API that admits it as a middle tier.
 */
export type TokenFlow = 'refresh' | 'onBehalfOf';

export interface PersonToken {
  readonly accessToken: Secret;
  readonly expiresAtSeconds: number;
}

export interface TokenOptions {
  /** Default `refresh`. */
  readonly flow?: TokenFlow;
  /** A claims challenge of the API, as JSON: the token that is kept does not do, Entra is asked for one that shows these. */
  readonly claims?: string | undefined;
  /** One that the API refused with 401: a newer one is given, unless this one is seconds old. */
  readonly rejected?: Secret | undefined;
}

/** A token on behalf of whoever an assertion stands for, which the caller has verified. */
export interface DelegatedRequest {
  readonly assertion: Secret;
  /** Of the person in the assertion. */
  readonly tenantId: string;
  readonly scopes: readonly string[];
  readonly claims?: string | undefined;
}

type Acquired = Result<PersonToken, EntraRefusal>;

export interface PersonTokens {
  /**
   * A token of the session's person for the API that the scopes belong to, such as `api://payroll/payroll.read`, or
   * `User.Read` of Microsoft Graph. Kept in memory, renewed ahead of its end, asked for once however many ask.
   * They are marked as able to answer claims challenges (`xms_cc` cp1), so that APIs send them.
   *
   * @param scopes of one API only.
   * @returns without a promise where the token is at hand. `interaction`: the person has to sign in again, with
   *   `claims` where Entra named any.
   * @throws StoreUnavailable (rejects) when the store did not answer.
   */
  tokenFor(
    sessionId: string,
    scopes: readonly string[],
    options?: TokenOptions,
  ): Acquired | Promise<Acquired>;
}

export interface Entra extends PersonTokens {
  /** The URL of Entra's authorize endpoint: own PKCE (S256), `state` as given, own nonce, `response_mode=query`. */
  startSignIn(request: {
    readonly state: string;
    readonly prompt?: 'select_account' | 'login';
    readonly loginHint?: string;
    /** Asked beside those of the configuration, so that the person consents to them now. May be of several APIs. */
    readonly scopes?: readonly string[];
    /** What Entra, or an API, demanded of this sign-in. */
    readonly claims?: string;
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
