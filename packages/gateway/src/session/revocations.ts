/**
 * Which sessions have ended, and which access tokens say what is no longer so: known in memory, so that no request
 * reads the store, and told to every replica by a feed that costs one small read per poll.
 */
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
import { type RandomBytes, randomId } from '@valetkey/core/base/random';
import type { Store } from '../store/collection.ts';

/** What an access token says of a person's rights: roles and groups, in one text that compares. */
export function rightsOf(holder: {
  readonly roles: readonly string[];
  readonly groups?: readonly string[];
}): string {
  return JSON.stringify([holder.roles.toSorted(), (holder.groups ?? []).toSorted()]);
}

/** `rights`: what tokens of the session must say from now on; undefined: the session has ended. */
export interface Mark {
  readonly sessionId: string;
  readonly rights?: string;
}

export interface Revocations {
  /** Ends a session here at once, and on every replica with its next poll. */
  revoke(sessionId: string): Promise<void>;
  /** Tokens that say anything else than these rights are refused: their client refreshes, and gets what is so now. */
  changeRights(sessionId: string, rights: string): Promise<void>;
  isRevoked(sessionId: string): boolean;
  isOutdated(sessionId: string, rights: () => string): boolean;
  /** Reads what other replicas wrote: one `get`, and a `list` only where something is new. */
  reload(): Promise<void>;
  /** Told once of every mark, own ones too. @returns how to stop listening. */
  onMark(listener: (mark: Mark) => void): () => void;
}

interface Revocation extends Mark {
  readonly expiresAtSeconds: number;
}

export interface RevocationsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** How long a mark must be remembered: as long as any token that it is about. */
  readonly lifetimeSeconds: number;
}

const everybody = 'all';
const latest = 'latest';
/** A replica that died between the mark and the note of it is made up for by a full look this often. */
const fullLookMs = 30_000;

export function createRevocations({
  store,
  clock,
  random,
  lifetimeSeconds,
}: RevocationsOptions): Revocations {
  const marks = store.collection<Revocation>('session.revoked');
  const feed = store.collection<{ readonly revision: string }>('session.feed');
  const known = createExpiringMap<Revocation>(clock);
  const listeners = new Set<(mark: Mark) => void>();
  const state = { revision: '', lookedAtMs: Number.NEGATIVE_INFINITY };

  function learn(mark: Revocation): void {
    const before = known.get(mark.sessionId);
    // An ended session stays ended.
    if (before !== undefined && (before.rights === undefined || before.rights === mark.rights)) return;
    known.set(mark.sessionId, mark);
    for (const listener of listeners) listener(mark);
  }

  async function write(mark: Mark): Promise<void> {
    const expiresAtSeconds = nowSeconds(clock) + lifetimeSeconds;
    const record = { ...mark, expiresAtSeconds };
    const id = mark.rights === undefined ? mark.sessionId : `rights ${mark.sessionId}`;
    await marks.put(id, record, { lifetimeSeconds, groups: [everybody] });
    learn(record);
    // After the mark: whoever sees the new revision finds the mark.
    await feed.put(latest, { revision: randomId(random, 9) });
  }

  return {
    revoke: (sessionId) => write({ sessionId }),
    changeRights: (sessionId, rights) => write({ sessionId, rights }),

    isRevoked(sessionId) {
      const mark = known.get(sessionId);
      return mark !== undefined && mark.rights === undefined;
    },

    isOutdated(sessionId, rights) {
      const mark = known.get(sessionId);
      return mark?.rights !== undefined && mark.rights !== rights();
    },

    async reload() {
      const revision = (await feed.get(latest))?.revision ?? '';
      const nowMs = clock.nowMs();
      const isLookDue = nowMs - state.lookedAtMs >= fullLookMs || nowMs < state.lookedAtMs;
      if (revision === state.revision && !isLookDue) return;
      for (const mark of await marks.list(everybody)) learn(mark);
      state.revision = revision;
      state.lookedAtMs = nowMs;
    },

    onMark(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/**
 * Values until their expiry. All live about equally long, so the map's insertion order is nearly the order of expiry
 * and each addition clears from the front: memory is bounded by what was marked within one lifetime.
 */
function createExpiringMap<Value extends { readonly expiresAtSeconds: number }>(clock: Clock) {
  const values = new Map<string, Value>();
  return {
    set(id: string, value: Value): void {
      const now = nowSeconds(clock);
      for (const [oldest, { expiresAtSeconds }] of values) {
        if (expiresAtSeconds > now) break;
        values.delete(oldest);
      }
      values.delete(id);
      values.set(id, value);
    },
    get(id: string): Value | undefined {
      const value = values.get(id);
      return value !== undefined && value.expiresAtSeconds > nowSeconds(clock) ? value : undefined;
    },
  };
}
