/**
 * Whose is an `Mcp-Session-Id`? A session id of the legacy era is a handle that the backend gave out; whoever
 * presents it would otherwise join the session (D61, MCP Security Best Practices: session hijacking).
 *
 * One binding per backend, so an id is worth nothing on another route. It lives in memory: after a restart, or
 * once it has been forgotten, an id is unknown and answered 404, upon which a client initialises anew (MCP
 * Transports, Session Management). Believing unknown ids instead would open every session after a restart.
 */

export interface SessionBinding {
  /**
   * Notes whose session this is.
   * @returns false when the id belongs to somebody else: a backend that gives two people one id is at fault.
   */
  bind(sessionId: string, person: string): boolean;
  isOwner(sessionId: string, person: string): boolean;
  forget(sessionId: string): void;
}

export interface SessionBindingLimits {
  /** Default 50,000. */
  readonly maxSessions?: number;
  /** Default 100: one person opening sessions without end forgets their own, not those of others. */
  readonly maxPerPerson?: number;
}

export function createSessionBinding(limits: SessionBindingLimits = {}): SessionBinding {
  const { maxSessions = 50_000, maxPerPerson = 100 } = limits;
  // Both in order of last use: each use deletes and inserts again.
  const owners = new Map<string, string>();
  const sessionsOf = new Map<string, Set<string>>();

  function forget(sessionId: string): void {
    const person = owners.get(sessionId);
    if (person === undefined) return;
    owners.delete(sessionId);
    const own = sessionsOf.get(person);
    own?.delete(sessionId);
    if (own?.size === 0) sessionsOf.delete(person);
  }

  function touch(sessionId: string, person: string): void {
    owners.delete(sessionId);
    owners.set(sessionId, person);
    const own = sessionsOf.get(person) ?? new Set();
    own.delete(sessionId);
    own.add(sessionId);
    sessionsOf.set(person, own);
    if (own.size > maxPerPerson) forgetFirst(own);
    if (owners.size > maxSessions) forgetFirst(owners.keys());
  }

  function forgetFirst(ids: Iterable<string>): void {
    for (const id of ids) return forget(id);
  }

  return {
    forget,
    bind(sessionId, person) {
      const owner = owners.get(sessionId);
      if (owner !== undefined && owner !== person) return false;
      touch(sessionId, person);
      return true;
    },
    isOwner(sessionId, person) {
      if (owners.get(sessionId) !== person) return false;
      touch(sessionId, person);
      return true;
    },
  };
}
