import type { Session } from './session.ts';

export interface Sessions {
  create(session: Session): Promise<void>;
  find(sessionId: string): Promise<Session | undefined>;
  update(sessionId: string, change: (current: Session) => Session): Promise<Session | undefined>;
  /** Ends the session: remembered in memory until its last access token has expired, and in the store. */
  revoke(sessionId: string): Promise<void>;
  /** No store read: called for every MCP request. */
  isRevoked(sessionId: string): boolean;
  listByPerson(person: string): Promise<Session[]>;
}
