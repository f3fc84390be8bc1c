/**
 * Room `sign-in`: the way of a person from `/authorize` to the client's redirect. It joins the edges that may not
 * know each other: the authorization server (`oauth`), the consent page (`consent`), Entra (`entra`) and what is
 * remembered (`session`).
 *
 *   1. GET  /consent/{id}     the page, or straight on where a consent is remembered and may be used
 *   2. POST /consent/{id}     Allow: state and its cookie come into being, redirect to Entra. Deny: back to the client
 *   3. GET  /auth/callback    the same browser comes back; the code is redeemed, the person known, the grant made
 *   4. GET  /authorize/{id}   oidc-provider resumes and sends code or error to the client
 */
import type { Clock } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import type { Policy } from '@valetkey/core/policy/decide';
import type { Logger } from 'pino';
import type { Audit } from '../audit/event.ts';
import type { ServerConfig } from '../config/config.ts';
import type { Entra, SignInSecrets } from '../entra/entra.ts';
import type { CheckClientLimit } from '../http/client-limit.ts';
import type { Interactions } from '../oauth/interactions.ts';
import type { Browsers } from '../session/browsers.ts';
import type { Consents } from '../session/consents.ts';
import type { Groups } from './groups.ts';
import type { Sessions } from '../session/sessions.ts';
import type { StepUps } from '../session/step-ups.ts';
import type { SignInTransactions } from '../session/sign-in-transactions.ts';
import type { Store } from '../store/collection.ts';

export interface SignInFlow {
  readonly config: ServerConfig;
  readonly interactions: Interactions;
  readonly entra: Entra;
  readonly groups: Groups;
  readonly sessions: Sessions;
  readonly consents: Consents;
  readonly browsers: Browsers;
  readonly stepUps: StepUps;
  readonly transactions: SignInTransactions<PendingSignIn>;
  readonly policies: ReadonlyMap<string, Policy>;
  readonly checkClientLimit: CheckClientLimit;
  readonly store: Store;
  readonly audit: Audit;
  /** Keys of the consent form's CSRF tokens: the first makes them, all are accepted. */
  readonly formKeys: () => readonly Uint8Array[];
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** What waits for the callback: sealed in the store, found by `state`, bound to the browser by its cookie. */
export interface PendingSignIn {
  readonly interactionId: string;
  readonly secrets: SignInSecrets;
  readonly approval: PendingApproval;
  /** What had been demanded of this person before, and is asked of Entra now: see `session/step-ups.ts`. */
  readonly stepUp?: { readonly person: string; readonly id: string };
}

export interface PendingApproval {
  /** Keep the consent, once it is known whose it is. */
  readonly remember: boolean;
  /** No page was shown, since this person had allowed it before: whoever comes back must be that person. */
  readonly rememberedFor?: string;
}

export const callbackPath = '/auth/callback';
