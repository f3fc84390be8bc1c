import type { AccessTokenClaims } from '../session/access-token.ts';

/** What an access token says beyond OAuth: who signed in, as known when the token is made. */
export type TokenFacts = Pick<
  AccessTokenClaims,
  'tid' | 'oid' | 'sid' | 'roles' | 'groups' | 'name' | 'preferred_username'
>;

/** Why a session cannot be renewed; `unavailable` keeps the refresh token good for another try. */
export type RenewalRefusal = 'ended' | 'unavailable';

/** The sign-ins behind the grants, as the authorization server needs them. */
export interface SignIns {
  /** The facts for a new access token; undefined when the session has ended. */
  findFacts(sessionId: string): Promise<TokenFacts | undefined>;
  /** Asks Entra whether this person is still who they were, before a refresh token is honoured. */
  renew(sessionId: string): Promise<RenewalRefusal | undefined>;
  /** The grant ended: by revocation, or by the replay of a code or a refresh token. */
  end(sessionId: string): Promise<void>;
}
