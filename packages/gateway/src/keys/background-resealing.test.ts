import { randomBytes } from 'node:crypto';
import {
  createKeyRing,
  type KeyRing,
  parseKeyRing,
  stageKeys,
  useStagedKeys,
} from '@valetkey/core/crypto/key-ring';
import { expect, test } from 'vitest';
import { createStore } from '../store/sealed.ts';
import { openSqliteDriver } from '../store/sqlite.ts';
import { startResealing } from './background-resealing.ts';

const clock = { nowMs: () => 1_750_000_000_000 };
const random = (size: number) => randomBytes(size);

function parse(file: object): KeyRing {
  const parsed = parseKeyRing(file);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

/** One look of the resealing at a store, which ends with it. @returns what the log was told. */
async function lookOnce(keyRing: KeyRing, driver: ReturnType<typeof openSqliteDriver>): Promise<unknown[]> {
  const said: unknown[] = [];
  const work: (() => void)[] = [];
  const stop = startResealing({
    driver,
    store: createStore({ driver, keyRing, random, clock }),
    keyRing,
    random,
    timer: (tick) => {
      work.push(tick);
      return () => {};
    },
    log: { info: (facts: unknown) => said.push(facts), warn: (facts: unknown) => said.push(facts) } as never,
  });
  for (const tick of work) tick();
  await stop();
  return said;
}

test('A28: that the store is sealed with a new key is said once it is, and not when the key is merely there', async () => {
  const driver = openSqliteDriver({ path: ':memory:', clock });
  const file = createKeyRing(random, 1_750_000_000);
  const things = createStore({ driver, keyRing: parse(file), random, clock }).collection<string>('thing');
  await things.put('one', 'kept');

  const staged = stageKeys(file, random, 1_750_000_100);
  expect(await lookOnce(parse(staged), driver)).toEqual([]);

  const used = useStagedKeys(staged, 1_750_000_200);
  const [facts, ...more] = await lookOnce(parse(used), driver);
  expect(facts).toMatchObject({ kid: used.current, skipped: 0 });
  expect(facts).not.toMatchObject({ resealed: 0 });
  expect(more).toEqual([]);
  expect(await lookOnce(parse(used), driver), 'another replica finds it done').toEqual([]);
});
