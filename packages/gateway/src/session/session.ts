/**
 * Room `session`: who signed in through which client, what they consented to, and what was revoked.
 * Knows the store; knows no HTTP and no OAuth wire format.
 */

/** One sign-in of one person through one client. Its id is also the OAuth grant id. */
export interface Session {
  readonly id: string;
  readonly tenantId: string;
  readonly objectId: string;
  readonly displayName?: string;
  readonly username?: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly clientId: string;
  /** The protected resource it was made for; not in sessions of version 0.1. */
  readonly resource?: string;
  readonly createdAtSeconds: number;
  /** When Entra last confirmed this person and these roles. */
  readonly verifiedAtSeconds: number;
}

/** What a person allowed a client: keyed by all four parts, so that any change asks again. */
export interface Consent {
  /** `personId` of the person. */
  readonly person: string;
  readonly clientId: string;
  readonly redirectUri: string;
  /** The protected resource. */
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly outcome: 'allowed' | 'denied';
  readonly decidedAtSeconds: number;
  readonly expiresAtSeconds: number;
}
