import { type ConsentKey, isCoveredBy } from '../session/consents.ts';
import type { Consent } from '../session/session.ts';

export interface ConsentQuestion extends ConsentKey {
  readonly scopes: readonly string[];
}

/**
 * Whether a remembered Allow may answer without showing the page.
 *
 * Never for a navigation that another site began: an attacker who runs an authorization server of their own can
 * send a victim's browser here with somebody else's client, and a silent yes would complete their flow
 * (GHSA-6x8h-498w-gv8c). A browser that does not say where the navigation began is asked again too.
 *
 * @param secFetchSite the header of the request to `/authorize`; `none` is an address that an application opened or
 *   a person typed.
 */
export function mayUseRememberedConsent(input: {
  readonly secFetchSite: string | undefined;
  readonly consent: Consent | undefined;
  readonly nowSeconds: number;
  readonly request: ConsentQuestion;
}): boolean {
  const { secFetchSite, consent, nowSeconds, request } = input;
  if (secFetchSite !== 'none' && secFetchSite !== 'same-origin') return false;
  if (consent === undefined || consent.expiresAtSeconds <= nowSeconds) return false;
  return isSameQuestion(consent, request) && isCoveredBy(consent, request.scopes);
}

function isSameQuestion(consent: Consent, request: ConsentQuestion): boolean {
  return (
    consent.person === request.person &&
    consent.clientId === request.clientId &&
    consent.redirectUri === request.redirectUri &&
    consent.resource === request.resource
  );
}
