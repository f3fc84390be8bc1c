/**
 * One at a time over all replicas, told by heartbeats and by no clock that they would have to share.
 *
 * Whoever has the turn writes a new beat every `beatMs`. Whoever waits measures, by a clock that nobody sets, how long
 * the same beat has stood there, and takes the turn over after `silenceMs`: a replica that died holds the others up no
 * longer than that, one that works slowly keeps its turn, and clocks that differ between replicas change nothing.
 *
 * A replica that was merely stopped for a while (a paused machine, a busy process) goes on without knowing that its turn
 * is over. So nothing that a turn protects may be written without asking: `settle` and `end` are compare-and-set, and
 * what lies elsewhere is fenced by the names of the holders (`name`, `before`).
 */
import { type RandomBytes, randomId } from '@valetkey/core/base/random';
import { setTimeout as wait } from 'node:timers/promises';
import type { Collection } from './collection.ts';

/** In the store: under way, ended, or settled with what came of it. */
export interface TurnRecord<Outcome> {
  /** Who has it; of random text, new for each turn. */
  readonly holder: string;
  readonly beat: number;
  /** Holders that were silent, whose turn was taken over one after the other. */
  readonly before: readonly string[];
  readonly isFree?: boolean;
  readonly outcome?: Outcome;
}

export interface Turn<Outcome> {
  readonly kind: 'ours';
  readonly name: string;
  /** Those that it was taken over from; none where it was free. What they left half done is for this holder to undo. */
  readonly before: readonly string[];
  /** Who had it while this one was waiting; none where it was free at once. */
  readonly waitedFor: readonly string[];
  /** By the store, now. @throws StoreUnavailable */
  isStillOurs(): Promise<boolean>;
  /**
   * Ends the turn with what came of it, for all who wait and, so long, for all who come.
   * @returns false: it was taken over meanwhile, and what this holder did must not count.
   * @throws StoreUnavailable, and nobody knows whether it was settled.
   */
  settle(outcome: Outcome, lifetimeSeconds: number): Promise<boolean>;
  /** Leaves it to the next. Where the store does not answer, silence does the same. */
  end(): Promise<void>;
  /** No more beats: the next one takes it over. */
  abandon(): void;
}

export type Claim<Outcome> = Turn<Outcome> | { readonly kind: 'settled'; readonly outcome: Outcome };

export interface Turns<Outcome> {
  /**
   * Waits for the turn, or for what came of it.
   * @param lifetimeSeconds how long a turn is remembered that was never settled nor ended.
   * @returns undefined after `patienceMs`: somebody is at it, and lives.
   * @throws StoreUnavailable
   */
  claim(id: string, lifetimeSeconds: number): Promise<Claim<Outcome> | undefined>;
}

export interface TurnsOptions<Outcome> {
  readonly records: Collection<TurnRecord<Outcome>>;
  readonly random: RandomBytes;
  /** Milliseconds of a clock that nobody sets; default: `performance.now()`. */
  readonly monotonicMs?: () => number;
  readonly silenceMs?: number;
  readonly beatMs?: number;
  readonly patienceMs?: number;
}

/** Three beats may be late before anybody takes over. */
const standardSilenceMs = 3_000;
const standardBeatMs = 800;
/** As long as an exchange with Entra may take, and no longer than a client waits. */
const standardPatienceMs = 20_000;
/** An answer of Entra's takes some tenths of a second; after a replica's death a crowd may wait for seconds. */
const firstPauseMs = 25;
const longestPauseMs = 200;
const freeSeconds = 1;

export function createTurns<Outcome = never>(options: TurnsOptions<Outcome>): Turns<Outcome> {
  const { records, random, monotonicMs = () => performance.now() } = options;
  const { silenceMs = standardSilenceMs, beatMs = standardBeatMs } = options;
  const { patienceMs = standardPatienceMs } = options;

  async function claim(id: string, lifetimeSeconds: number): Promise<Claim<Outcome> | undefined> {
    const name = randomId(random, 9);
    const mine = (before: readonly string[]) => ({ holder: name, beat: 0, before });
    const isSilent = createWatch(monotonicMs, silenceMs);
    const giveUpMs = monotonicMs() + patienceMs;
    const holders = new Set<string>();
    const waitedFor = () => [...holders];
    let seen: TurnRecord<Outcome> | undefined;
    let pauseMs = firstPauseMs;
    while (monotonicMs() < giveUpMs) {
      if (seen === undefined && (await records.create(id, mine([]), { lifetimeSeconds })))
        return hold(id, { name, before: [], waitedFor: waitedFor() });
      seen = await records.get(id);
      if (seen?.outcome !== undefined) return { kind: 'settled', outcome: seen.outcome };
      if (seen !== undefined && (seen.isFree === true || isSilent(seen))) {
        const last = seen;
        const before = last.isFree === true ? [] : [...last.before, last.holder];
        const take = (now: TurnRecord<Outcome>) => (isSame(now, last) ? mine(before) : undefined);
        const taken = await records.update(id, take, { lifetimeSeconds });
        if (taken !== undefined) return hold(id, { name, before, waitedFor: waitedFor() });
      }
      if (seen !== undefined && seen.isFree !== true) holders.add(seen.holder);
      if (seen === undefined) continue;
      await wait(pauseMs);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
    return undefined;
  }

  function hold(id: string, held: Pick<Turn<Outcome>, 'name' | 'before' | 'waitedFor'>): Turn<Outcome> {
    const { name } = held;
    const ifOurs =
      (next: (now: TurnRecord<Outcome>) => TurnRecord<Outcome>) =>
      (now: TurnRecord<Outcome>): TurnRecord<Outcome> | undefined =>
        now.holder === name && now.isFree !== true ? next(now) : undefined;
    const next = ifOurs((now) => ({ ...now, beat: now.beat + 1 }));
    let isBeating = false;
    const beat = async () => {
      // A store that is slow must not be given more to do by it.
      if (isBeating) return;
      isBeating = true;
      // A beat that fails is a beat that is missing: the next one may not be.
      await records.update(id, next).catch(() => {});
      isBeating = false;
    };
    const beats = setInterval(() => void beat(), beatMs);
    beats.unref();
    const abandon = () => clearInterval(beats);
    return {
      kind: 'ours',
      ...held,
      abandon,
      async isStillOurs() {
        return (await records.get(id))?.holder === name;
      },
      async settle(outcome, lifetimeSeconds) {
        abandon();
        const settled = await records.update(
          id,
          ifOurs((now) => ({ ...now, outcome })),
          { lifetimeSeconds },
        );
        return settled !== undefined;
      },
      async end() {
        abandon();
        const free = ifOurs((now) => ({ ...now, isFree: true }));
        await records.update(id, free, { lifetimeSeconds: freeSeconds }).catch(() => undefined);
      },
    };
  }

  return { claim };
}

/** Whether the same beat has been seen for too long, by who looks again and again. */
function createWatch(monotonicMs: () => number, silenceMs: number) {
  const state = { holder: '', beat: -1, sinceMs: 0 };
  return ({ holder, beat }: TurnRecord<unknown>): boolean => {
    if (holder !== state.holder || beat !== state.beat)
      Object.assign(state, { holder, beat, sinceMs: monotonicMs() });
    return monotonicMs() - state.sinceMs >= silenceMs;
  };
}

function isSame(one: TurnRecord<unknown>, other: TurnRecord<unknown>): boolean {
  return one.holder === other.holder && one.beat === other.beat && one.isFree === other.isFree;
}
