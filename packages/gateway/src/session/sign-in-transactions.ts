/** What waits between our redirect to Entra and its callback, bound to the browser that approved. */
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import { randomId } from '@valetkey/core/base/random';
import type { Result } from '@valetkey/core/base/result';
import { err, ok } from '@valetkey/core/base/result';
import { isEqualText } from '@valetkey/core/crypto/equal';
import { hashToken } from '@valetkey/core/crypto/token-hash';
import type { Store } from '../store/collection.ts';

/** Why a callback has no transaction. */
export type TransactionRefusal = 'unknown' | 'other_browser';

export interface StartedTransaction {
  /** Where to send the browser: as `prepare` gave it. */
  readonly url: string;
  /** The `state` for Entra: ours, random, and of no meaning to anybody else (D64). */
  readonly state: string;
  readonly cookieName: string;
  /** Set it on the response that redirects to Entra, and on no earlier one. */
  readonly cookieValue: string;
  /** Also the cookie's `Max-Age`. */
  readonly lifetimeSeconds: number;
}

export interface SignInTransactions<Details> {
  /**
   * Begins one sign-in. Call it only after the person has approved, in the response that redirects to Entra: a
   * state or cookie that exists before approval lets an attacker approve in one browser and finish in the
   * victim's (D62, CVE-2026-27124). Call it for every such redirect, also where a remembered consent made the page
   * unnecessary (D63).
   *
   * @param prepare is given the new state, asks room `entra` for the sign-in URL, and answers with what must
   *   survive until the callback. When it refuses, nothing is stored.
   */
  begin<Refusal>(
    prepare: (state: string) => Promise<Result<PreparedSignIn<Details>, Refusal>>,
  ): Promise<Result<StartedTransaction, Refusal>>;
  /**
   * Gives the transaction to at most one callback.
   *
   * `other_browser` leaves the record in place: the state travels through Entra and browser histories, and if
   * presenting it without the cookie spent it, whoever saw the state could end a stranger's sign-in. Guessing
   * gains nothing: the cookie holds 256 random bits and the record ends after its lifetime.
   */
  take(state: string, cookieValue: string | undefined): Promise<Result<Details, TransactionRefusal>>;
}

export interface PreparedSignIn<Details> {
  readonly url: string;
  readonly details: Details;
}

interface Transaction<Details> {
  readonly cookieHash: string;
  readonly expiresAtSeconds: number;
  readonly details: Details;
}

export interface SignInTransactionsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** At most 600 are used (A19). */
  readonly lifetimeSeconds: number;
}

const maxLifetimeSeconds = 600;

/** @typeParam Details JSON: the interaction, the secrets of the Entra leg, the consent to save afterwards. */
export function createSignInTransactions<Details>(
  options: SignInTransactionsOptions,
): SignInTransactions<Details> {
  const transactions = options.store.collection<Transaction<Details>>('session.sign-in');
  const lifetimeSeconds = Math.min(options.lifetimeSeconds, maxLifetimeSeconds);
  const isLive = (found: Transaction<Details> | undefined): found is Transaction<Details> =>
    found !== undefined && found.expiresAtSeconds > nowSeconds(options.clock);

  return {
    async begin(prepare) {
      const state = randomId(options.random);
      const prepared = await prepare(state);
      if (!prepared.ok) return prepared;
      const cookieValue = randomId(options.random);
      const expiresAtSeconds = nowSeconds(options.clock) + lifetimeSeconds;
      await transactions.put(
        state,
        { cookieHash: hashToken(cookieValue), expiresAtSeconds, details: prepared.value.details },
        { lifetimeSeconds },
      );
      const cookieName = signInCookieName(state);
      return ok({ url: prepared.value.url, state, cookieName, cookieValue, lifetimeSeconds });
    },

    async take(state, cookieValue) {
      const seen = await transactions.get(state);
      if (!isLive(seen)) return err('unknown');
      if (cookieValue === undefined || !isEqualText(hashToken(cookieValue), seen.cookieHash)) {
        return err('other_browser');
      }
      const taken = await transactions.take(state);
      return isLive(taken) ? ok(taken.details) : err('unknown');
    },
  };
}

/**
 * The cookie of one transaction, without the `__Host-` prefix, which is the HTTP edge's matter. One name per
 * transaction, so that two sign-ins in one browser do not overwrite each other (D68); made of the state's hash, so
 * that a cookie list does not show the state.
 */
export function signInCookieName(state: string): string {
  return `valetkey-sign-in-${hashToken(state).slice(0, 16)}`;
}
