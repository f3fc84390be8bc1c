/** What people allowed clients: server-side, per person, never a cookie and never a parameter (D33, D51). */
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { Store } from '../store/collection.ts';
import type { Consent } from './session.ts';

/** The four parts that name a consent; another redirect or resource is another question. */
export type ConsentKey = Pick<Consent, 'person' | 'clientId' | 'redirectUri' | 'resource'>;

/** A decision just made; when it was made and when it ends are this room's to say. */
export type ConsentDecision = Omit<Consent, 'decidedAtSeconds' | 'expiresAtSeconds'>;

export interface Consents {
  /** The live decision on exactly these four parts. Judge its scopes with `isCoveredBy`. */
  find(key: ConsentKey): Promise<Consent | undefined>;
  /**
   * Remembers a decision in place of the earlier one. A denial whose lifetime is 0 is not remembered, but still
   * ends an earlier allow.
   * @returns what is now remembered.
   */
  save(decision: ConsentDecision): Promise<Consent | undefined>;
  listByPerson(person: string): Promise<Consent[]>;
  listAll(): Promise<Consent[]>;
  /** @returns whether there was one. */
  revoke(key: ConsentKey): Promise<boolean>;
}

export interface ConsentsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly lifetimes: { readonly consentSeconds: number; readonly denialSeconds: number };
}

export function createConsents({ store, clock, lifetimes }: ConsentsOptions): Consents {
  const consents = store.collection<Consent>('session.consent');
  const isLive = (consent: Consent) => consent.expiresAtSeconds > nowSeconds(clock);

  return {
    async find(key) {
      const consent = await consents.get(recordId(key));
      return consent !== undefined && isLive(consent) ? consent : undefined;
    },

    async save(decision) {
      const lifetimeSeconds =
        decision.outcome === 'allowed' ? lifetimes.consentSeconds : lifetimes.denialSeconds;
      if (lifetimeSeconds <= 0) {
        await consents.delete(recordId(decision));
        return undefined;
      }
      const decidedAtSeconds = nowSeconds(clock);
      const consent: Consent = {
        ...decision,
        decidedAtSeconds,
        expiresAtSeconds: decidedAtSeconds + lifetimeSeconds,
      };
      await consents.put(recordId(decision), consent, {
        lifetimeSeconds,
        groups: [decision.person, everybody],
      });
      return consent;
    },

    async listAll() {
      return (await consents.list(everybody)).filter(isLive);
    },

    async listByPerson(person) {
      return (await consents.list(person)).filter(isLive);
    },

    revoke: (key) => consents.delete(recordId(key)),
  };
}

/** No `personId`: those have a dot. */
const everybody = 'all';

/** Whether an allowance includes every scope asked for now; a denial covers nothing. */
export function isCoveredBy(consent: Consent, askedScopes: readonly string[]): boolean {
  return consent.outcome === 'allowed' && askedScopes.every((scope) => consent.scopes.includes(scope));
}

/**
 * JSON of the list, not a join: the parts are chosen by clients, and with any separator `a|b` + `c` would meet
 * `a` + `b|c` on one record (D64).
 */
function recordId(key: ConsentKey): string {
  return JSON.stringify([key.person, key.clientId, key.redirectUri, key.resource]);
}
