/** The verified caller of one request. Built only from a verified token, never from a header or a body. */
export interface Principal {
  /** Entra tenant id (`tid`). With `objectId` the only key of a person (Entra: claims, `oid` and `tid`). */
  readonly tenantId: string;
  /** Entra object id (`oid`). */
  readonly objectId: string;
  /** For people to read; mutable at Entra, so never a reason to allow anything. */
  readonly displayName?: string;
  /** `preferred_username`: for people to read, as above. */
  readonly username?: string;
  /** App roles of the `roles` claim. */
  readonly roles: readonly string[];
  /** Group object ids, where the token carried them. */
  readonly groups: readonly string[];
  /** Scopes granted to the client for this backend. */
  readonly scopes: readonly string[];
  /** The OAuth client that holds the token. */
  readonly clientId: string;
  /** The sign-in behind the token. */
  readonly sessionId: string;
  /** An application by itself, with a token of Entra's: no person stands behind it, `objectId` is its service principal. */
  readonly isApplication?: boolean;
}

/** The one text form of a person: `<tid>.<oid>`. It is the `sub` of our tokens and the key of consents. */
export function personId(person: { readonly tenantId: string; readonly objectId: string }): string {
  return `${person.tenantId}.${person.objectId}`;
}
