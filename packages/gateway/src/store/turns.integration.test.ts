/** Turns on each store, between two replicas whose clocks are ten minutes apart. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKeyRing, parseKeyRing } from '@valetkey/core/crypto/key-ring';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDriver } from './open-store.ts';
import { startPostgres, startRedis, storeConfigOf, until } from './real-servers.suite.ts';
import { createStore } from './sealed.ts';
import { createTurns, type Turn, type TurnRecord, type TurnsOptions } from './turns.ts';

const ring = parseKeyRing(createKeyRing(randomBytes, 0));
if (!ring.ok) throw new Error(ring.error);
const keyRing = ring.value;
const apartMs = 600_000;
const forgottenSeconds = 3600;

const servers = {
  SQLite: async () => ({
    url: `sqlite:${join(mkdtempSync(join(tmpdir(), 'valetkey-turns-')), 'store.db')}`,
    close: async () => {},
  }),
  Redis: () => startRedis(),
  PostgreSQL: () => startPostgres(),
};

describe.each(Object.entries(servers))('turns on %s', (_name, start) => {
  const state = { url: '', close: async () => {} };
  beforeAll(async () => void Object.assign(state, await start()), 60_000);
  afterAll(() => state.close());

  async function openReplica(aheadMs: number, options: Partial<TurnsOptions<string>> = {}) {
    const clock = { nowMs: () => Date.now() + aheadMs };
    const driver = await openDriver(storeConfigOf(state.url), clock);
    const store = createStore({ driver, keyRing, random: randomBytes, clock });
    const records = store.collection<TurnRecord<string>>('turns');
    return { ...createTurns<string>({ records, random: randomBytes, ...options }), records, store };
  }
  type Replica = Awaited<ReturnType<typeof openReplica>>;

  async function onTwo(work: (one: Replica, other: Replica) => Promise<void>, options = {}): Promise<void> {
    const one = await openReplica(0, options);
    const other = await openReplica(apartMs, options);
    try {
      await work(one, other);
    } finally {
      await one.store.close();
      await other.store.close();
    }
  }
  const claim = async ({ claim: ask }: Replica, id: string): Promise<Turn<string>> => {
    const claimed = await ask(id, forgottenSeconds);
    if (claimed?.kind !== 'ours') throw new Error('the turn was not given');
    return claimed;
  };
  /** To whoever asks, the time flies: silence is over after a few looks. */
  const impatient = () => {
    const time = { nowMs: 0 };
    return { monotonicMs: () => (time.nowMs += 250) };
  };
  /** Nobody is ever silent for long. */
  const patient = { monotonicMs: () => 0 };

  test('A28 A57: of thirty that ask, on two replicas, one has the turn at a time, whatever their clocks say', async () => {
    await onTwo(async (one, other) => {
      let atOnce = 0;
      let most = 0;
      const work = async (replica: Replica) => {
        const turn = await claim(replica, 'one-at-a-time');
        atOnce += 1;
        most = Math.max(most, atOnce);
        await replica.records.get('anything');
        atOnce -= 1;
        await turn.end();
      };
      await Promise.all(Array.from({ length: 30 }, (_, index) => work(index % 2 === 0 ? one : other)));
      expect(most).toBe(1);
    }, patient);
  }, 30_000);

  test('A28: who waits gets what came of it, and so does who comes later', async () => {
    await onTwo(async (one, other) => {
      const turn = await claim(one, 'settled');
      const waiting = other.claim('settled', forgottenSeconds);
      expect(await turn.settle('done', 1_000)).toBe(true);
      expect(await waiting).toEqual({ kind: 'settled', outcome: 'done' });
      expect(await other.claim('settled', forgottenSeconds)).toEqual({ kind: 'settled', outcome: 'done' });
    }, patient);
  });

  test('a turn that ended is free: nothing of it is left to undo', async () => {
    await onTwo(async (one, other) => {
      const first = await claim(one, 'ended');
      await first.end();
      const second = await claim(other, 'ended');
      expect(second).toMatchObject({ before: [], waitedFor: [] });
      expect(await first.isStillOurs()).toBe(false);
      await first.end();
      expect(await second.isStillOurs(), 'an end that comes late ends nobody else').toBe(true);
    }, patient);
  });

  test('A28: a turn whose holder is silent is taken over, and its holder can settle nothing any more', async () => {
    await onTwo(async (one, other) => {
      const dead = await claim(one, 'silent');
      dead.abandon();
      const second = await claim(other, 'silent');
      expect(second).toMatchObject({ before: [dead.name], waitedFor: [dead.name] });
      second.abandon();
      const third = await claim(one, 'silent');
      expect(third.before).toEqual([dead.name, second.name]);
      expect(await dead.settle('too late', 1_000)).toBe(false);
      expect(await dead.isStillOurs()).toBe(false);
      expect(await third.settle('in time', 1_000)).toBe(true);
    }, impatient());
  });

  test('A28: a holder that lives keeps its turn, however long it takes', async () => {
    const holder = await openReplica(0, { beatMs: 5 });
    // Of twenty looks at least one would have to see the same beat as the one before it, again and again.
    const waiter = await openReplica(apartMs, { silenceMs: 2_000 });
    const turn = await claim(holder, 'slow');
    const waiting = waiter.claim('slow', forgottenSeconds);
    await until('beats', async () => ((await holder.records.get('slow'))?.beat ?? 0) >= 20);
    expect(await turn.isStillOurs()).toBe(true);
    await turn.settle('slow, but done', 1_000);
    expect(await waiting).toEqual({ kind: 'settled', outcome: 'slow, but done' });
    await holder.store.close();
    await waiter.store.close();
  }, 20_000);

  test('who has waited for long enough is told so, while somebody lives and works', async () => {
    await onTwo(
      async (one, other) => {
        await claim(one, 'busy');
        expect(await other.claim('busy', forgottenSeconds)).toBeUndefined();
      },
      { ...impatient(), silenceMs: 1_000_000 },
    );
  });
});
