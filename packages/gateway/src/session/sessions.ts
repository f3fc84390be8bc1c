import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import { personId } from '@valetkey/core/policy/principal';
import type { Store } from '../store/collection.ts';
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

/** What `createSessions` gives: `Sessions`, and what only the composition root needs. */
export interface RevocableSessions extends Sessions {
  /** Sessions that one client holds. */
  listByClient(clientId: string): Promise<Session[]>;
  /** Reads revocations that other replicas wrote. For a poller; what is already known stays known. */
  reload(): Promise<void>;
}

/** A sign-in is good for a year at most, however often it is renewed: no record lives for ever (D22). */
export const SESSION_LIFETIME_SECONDS = 365 * 24 * 3600;

/** Beyond a token's life: verifiers accept a token this much after its `exp`, other replicas' clocks differ. */
export const REVOCATION_MARGIN_SECONDS = 300;

const revokedGroup = 'all';

interface Revocation {
  readonly sessionId: string;
  readonly expiresAtSeconds: number;
}

export interface SessionsOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Life of an access token: how long a revocation must be remembered. */
  readonly accessTokenSeconds: number;
}

/**
 * Opens the sessions and reads the revocations that are still needed into memory.
 *
 * @throws StoreUnavailable here and from every operation that returns a promise.
 */
export async function createSessions(options: SessionsOptions): Promise<RevocableSessions> {
  const sessions = options.store.collection<Session>('session');
  const revocations = options.store.collection<Revocation>('session.revoked');
  const revoked = createExpiringSet(options.clock);
  const lifetimeSeconds = options.accessTokenSeconds + REVOCATION_MARGIN_SECONDS;

  const reload = async () => {
    for (const each of await revocations.list(revokedGroup))
      revoked.add(each.sessionId, each.expiresAtSeconds);
  };
  await reload();

  return {
    reload,

    async create(session) {
      const created = await sessions.create(session.id, session, {
        lifetimeSeconds: SESSION_LIFETIME_SECONDS,
        groups: [personGroup(personId(session)), clientGroup(session.clientId)],
      });
      if (!created) throw new Error('the session id is taken: ids must be random and new');
    },

    async find(sessionId) {
      return revoked.has(sessionId) ? undefined : sessions.get(sessionId);
    },

    async update(sessionId, change) {
      if (revoked.has(sessionId)) return undefined;
      return sessions.update(sessionId, (current) => checkSameOwner(current, change(current)));
    },

    async revoke(sessionId) {
      // The revocation comes first: were the session deleted first and the process stopped there, the access
      // tokens it already gave out would work on, and nobody would know that they must not.
      const expiresAtSeconds = nowSeconds(options.clock) + lifetimeSeconds;
      await revocations.put(
        sessionId,
        { sessionId, expiresAtSeconds },
        { lifetimeSeconds, groups: [revokedGroup] },
      );
      revoked.add(sessionId, expiresAtSeconds);
      await sessions.delete(sessionId);
    },

    isRevoked: (sessionId) => revoked.has(sessionId),

    listByPerson: (person) => sessions.list(personGroup(person)),
    listByClient: (clientId) => sessions.list(clientGroup(clientId)),
  };
}

/** A session that changed hands would let one person's renewal answer for another (D14, D31). */
function checkSameOwner(current: Session, next: Session): Session {
  const same =
    next.id === current.id &&
    next.tenantId === current.tenantId &&
    next.objectId === current.objectId &&
    next.clientId === current.clientId;
  if (!same) throw new Error('a session never changes its id, person or client');
  return next;
}

const personGroup = (person: string) => `person:${person}`;
const clientGroup = (clientId: string) => `client:${clientId}`;

/**
 * Ids until their expiry. All live about equally long, so the map's insertion order is nearly the order of
 * expiry and each addition clears from the front: memory is bounded by what was revoked within one lifetime.
 */
function createExpiringSet(clock: Clock) {
  const expiries = new Map<string, number>();
  const clearExpired = () => {
    const now = nowSeconds(clock);
    for (const [id, expiresAtSeconds] of expiries) {
      if (expiresAtSeconds > now) return;
      expiries.delete(id);
    }
  };
  return {
    add(id: string, expiresAtSeconds: number) {
      clearExpired();
      const known = expiries.get(id) ?? 0;
      if (known >= expiresAtSeconds) return;
      expiries.delete(id);
      expiries.set(id, expiresAtSeconds);
    },
    has(id: string): boolean {
      const expiresAtSeconds = expiries.get(id);
      return expiresAtSeconds !== undefined && expiresAtSeconds > nowSeconds(clock);
    },
  };
}
