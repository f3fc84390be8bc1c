import { CLOCK_DIFFERENCE_SECONDS, type Clock } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import { personId } from '@valetkey/core/policy/principal';
import type { Store } from '../store/collection.ts';
import { createRevocations, type Revocations, rightsOf } from './revocations.ts';
import type { Session } from './session.ts';

export interface Sessions {
  create(session: Session): Promise<void>;
  find(sessionId: string): Promise<Session | undefined>;
  update(sessionId: string, change: (current: Session) => Session): Promise<Session | undefined>;
  /** Ends the session: remembered in memory until its last access token has expired, and in the store. */
  revoke(sessionId: string): Promise<void>;
  /** No store read: called for every MCP request. */
  isRevoked(sessionId: string): boolean;
  /** Access tokens that say other roles or groups than these are refused from now on, everywhere. */
  changeRights(sessionId: string, holder: Pick<Session, 'roles' | 'groups'>): Promise<void>;
  listByPerson(person: string): Promise<Session[]>;
}

/** What `createSessions` gives: `Sessions`, and what only the composition root needs. */
export interface RevocableSessions extends Sessions {
  /** Sessions that one client holds. */
  listByClient(clientId: string): Promise<Session[]>;
  listAll(): Promise<Session[]>;
  /** Reads what other replicas wrote. For a poller; what is already known stays known. */
  reload(): Promise<void>;
  readonly isOutdated: Revocations['isOutdated'];
  readonly onMark: Revocations['onMark'];
}

/** Where the configuration says nothing shorter: no record lives for ever, however often it is renewed (D22). */
export const SESSION_LIFETIME_SECONDS = 365 * 24 * 3600;

/**
 * Beyond a token's life: one that a replica made whose clock is ahead is good for longer here, and must not be so once
 * its revocation is forgotten.
 */
export const REVOCATION_MARGIN_SECONDS = CLOCK_DIFFERENCE_SECONDS + 60;

const everybody = 'all';

export interface SessionsOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Life of an access token: how long a revocation must be remembered. */
  readonly accessTokenSeconds: number;
  /** From sign-in; default `SESSION_LIFETIME_SECONDS`. */
  readonly sessionSeconds?: number;
  readonly random: RandomBytes;
}

/**
 * Opens the sessions and reads the revocations that are still needed into memory.
 *
 * @throws StoreUnavailable here and from every operation that returns a promise.
 */
export async function createSessions(options: SessionsOptions): Promise<RevocableSessions> {
  const sessions = options.store.collection<Session>('session');
  const { sessionSeconds = SESSION_LIFETIME_SECONDS } = options;
  const revocations = createRevocations({
    ...options,
    lifetimeSeconds: options.accessTokenSeconds + REVOCATION_MARGIN_SECONDS,
  });
  const { reload, isRevoked, isOutdated, onMark } = revocations;
  await reload();

  return {
    isOutdated,
    onMark,
    reload,

    async create(session) {
      const created = await sessions.create(session.id, session, {
        lifetimeSeconds: sessionSeconds,
        groups: [personGroup(personId(session)), clientGroup(session.clientId), everybody],
      });
      if (!created) throw new Error('the session id is taken: ids must be random and new');
    },

    async find(sessionId) {
      return isRevoked(sessionId) ? undefined : sessions.get(sessionId);
    },

    async update(sessionId, change) {
      if (isRevoked(sessionId)) return undefined;
      return sessions.update(sessionId, (current) => checkSameOwner(current, change(current)));
    },

    async revoke(sessionId) {
      // The revocation comes first: were the session deleted first and the process stopped there, the access
      // tokens it already gave out would work on, and nobody would know that they must not.
      await revocations.revoke(sessionId);
      await sessions.delete(sessionId);
    },

    changeRights: (sessionId, holder) => revocations.changeRights(sessionId, rightsOf(holder)),
    isRevoked,

    listByPerson: (person) => sessions.list(personGroup(person)),
    listByClient: (clientId) => sessions.list(clientGroup(clientId)),
    listAll: () => sessions.list(everybody),
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
