/**
 * Whose is an `Mcp-Session-Id`? A session id of the legacy era is a handle that the backend gave out; whoever
 * presents it would otherwise join the session (D61, MCP Security Best Practices: session hijacking).
 *
 * One binding per backend, so an id is worth nothing on another route. The store has it, so that a session goes on at
 * any replica and after a restart; memory spares the store: it is read only for an id that this process has not seen.
 * An id that nobody knows is answered 404, upon which a client initialises anew (MCP Transports, Session Management).
 */
import type { Clock } from '@valetkey/core/base/clock';
import type { Store } from '../store/collection.ts';
import { StoreUnavailable } from '../store/driver.ts';

export interface SessionBinding {
  /**
   * Notes whose session this is. While the store is away only this replica knows it: its session works here, and
   * is noted later.
   * @returns false when the id belongs to somebody else: a backend that gives two people one id is at fault.
   */
  bind(sessionId: string, person: string): Promise<boolean>;
  /** @throws StoreUnavailable when only the store could know. */
  isOwner(sessionId: string, person: string): Promise<boolean>;
  /** Here and for all replicas; another that has it in memory goes on asking the backend, which says 404. */
  forget(sessionId: string): Promise<void>;
}

export interface SessionBindingOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Whose sessions these are: two backends may give out the same id. */
  readonly backend: string;
  /** In memory; default 50,000. */
  readonly maxSessions?: number;
  /** Default 100: one person opening sessions without end forgets their own, in the store too, not those of others. */
  readonly maxPerPerson?: number;
}

interface SessionOwner {
  readonly person: string;
  readonly notedAtMs: number;
}

/** From the last note on, and a note is made while it is in use: a session left alone for a day is over. */
const lifetimeSeconds = 24 * 3600;
/** How old a note must be to be made again: few writes, and no session in use ever runs out. */
const noteAgainAfterMs = 6 * 3600 * 1000;
const retryAfterMs = 10_000;
const maxSessionIdLength = 1024;

/** Visible ASCII (MCP 2025-11-25 Transports), of bounded length. */
export function isSoundSessionId(sessionId: unknown): sessionId is string {
  return (
    typeof sessionId === 'string' &&
    sessionId.length <= maxSessionIdLength &&
    /^[\x21-\x7e]+$/.test(sessionId)
  );
}

export function createSessionBinding(options: SessionBindingOptions): SessionBinding {
  const { store, clock, backend, maxSessions = 50_000, maxPerPerson = 100 } = options;
  const owners = store.collection<SessionOwner>('proxy.mcp-session');
  // No session id holds a space, so no two pairs give one key.
  const keyOf = (sessionId: string) => `${backend} ${sessionId}`;
  // Both in order of last use: each use deletes and inserts again.
  const known = new Map<string, { readonly person: string; noteAgainAtMs: number }>();
  const sessionsOf = new Map<string, Set<string>>();

  function dropFromMemory(sessionId: string): void {
    const person = known.get(sessionId)?.person;
    if (person === undefined) return;
    known.delete(sessionId);
    const own = sessionsOf.get(person);
    own?.delete(sessionId);
    if (own?.size === 0) sessionsOf.delete(person);
  }

  function remember(sessionId: string, person: string, noteAgainAtMs: number): void {
    dropFromMemory(sessionId);
    known.set(sessionId, { person, noteAgainAtMs });
    const own = sessionsOf.get(person) ?? new Set();
    own.add(sessionId);
    sessionsOf.set(person, own);
    const [ofPerson] = own.size > maxPerPerson ? own : [];
    if (ofPerson !== undefined) void forget(ofPerson).catch(() => {});
    const [longestUnused] = known.size > maxSessions ? known.keys() : [];
    if (longestUnused !== undefined) dropFromMemory(longestUnused);
  }

  /** @returns whether memory has it as this person's; notes it again when that is due, and keeps nobody waiting. */
  function use(sessionId: string, person: string): boolean {
    const found = known.get(sessionId);
    if (found?.person !== person) return false;
    const isDue = clock.nowMs() >= found.noteAgainAtMs;
    remember(sessionId, person, isDue ? clock.nowMs() + retryAfterMs : found.noteAgainAtMs);
    if (isDue) void noteAgain(sessionId, person).catch(() => {});
    return true;
  }

  async function noteAgain(sessionId: string, person: string): Promise<void> {
    const noted = await owners.get(keyOf(sessionId));
    if (noted !== undefined && noted.person !== person) return;
    const notedAtMs = clock.nowMs();
    await owners.put(keyOf(sessionId), { person, notedAtMs }, { lifetimeSeconds });
    const found = known.get(sessionId);
    if (found !== undefined) found.noteAgainAtMs = notedAtMs + noteAgainAfterMs;
  }

  async function forget(sessionId: string): Promise<void> {
    dropFromMemory(sessionId);
    await owners.delete(keyOf(sessionId));
  }

  return {
    async bind(sessionId, person) {
      if (use(sessionId, person)) return true;
      const notedAtMs = clock.nowMs();
      try {
        const isNew = await owners.create(keyOf(sessionId), { person, notedAtMs }, { lifetimeSeconds });
        if (!isNew && (await owners.get(keyOf(sessionId)))?.person !== person) return false;
      } catch (fault) {
        if (!(fault instanceof StoreUnavailable) || known.has(sessionId)) throw fault;
        remember(sessionId, person, notedAtMs + retryAfterMs);
        return true;
      }
      remember(sessionId, person, notedAtMs + noteAgainAfterMs);
      return true;
    },

    async isOwner(sessionId, person) {
      if (use(sessionId, person)) return true;
      if (!isSoundSessionId(sessionId)) return false;
      const noted = await owners.get(keyOf(sessionId));
      if (noted?.person !== person) return false;
      remember(sessionId, person, noted.notedAtMs + noteAgainAfterMs);
      return true;
    },

    forget: (sessionId) =>
      // What cannot be deleted now runs out by itself, and the backend knows it no more.
      forget(sessionId).catch((fault: unknown) => {
        if (!(fault instanceof StoreUnavailable)) throw fault;
      }),
  };
}
