import type { Clock } from '../base/clock.ts';

export interface PersonCache {
  find(person: string, key: string): { readonly value: unknown } | undefined;
  /** @param epoch of the person when the question was asked: an answer that was on its way at `forget` is not kept. */
  put(person: string, key: string, value: unknown, ttlSeconds: number, epoch: number): void;
  epochOf(person: string): number;
  forget(person: string): void;
}

interface Entry {
  readonly person: string;
  readonly value: unknown;
  readonly untilMs: number;
}

/**
 * Remembers answers for a while, each under the person who got it (A27). Bounded over all people: the oldest goes
 * first. Values are handed out frozen, since several callers share one.
 */
export function createPersonCache(options: {
  readonly clock: Clock;
  readonly maxEntries: number;
}): PersonCache {
  const { clock, maxEntries } = options;
  const entries = new Map<string, Entry>();
  const epochs = new Map<string, number>();
  // A separator could be part of either half; JSON keeps them apart.
  const keyOf = (person: string, key: string) => JSON.stringify([person, key]);
  return {
    find(person, key) {
      const found = entries.get(keyOf(person, key));
      if (found === undefined) return undefined;
      if (found.untilMs > clock.nowMs()) return { value: found.value };
      entries.delete(keyOf(person, key));
      return undefined;
    },
    put(person, key, value, ttlSeconds, epoch) {
      if ((epochs.get(person) ?? 0) !== epoch) return;
      const id = keyOf(person, key);
      entries.delete(id);
      entries.set(id, { person, value: deepFreeze(value), untilMs: clock.nowMs() + ttlSeconds * 1000 });
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries) break;
        entries.delete(oldest);
      }
    },
    epochOf: (person) => epochs.get(person) ?? 0,
    forget(person) {
      epochs.set(person, (epochs.get(person) ?? 0) + 1);
      for (const [id, entry] of entries) if (entry.person === person) entries.delete(id);
    },
  };
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
