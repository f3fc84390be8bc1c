/**
 * What every driver must do, as tests. A driver's own test file calls `driverSuite` with a way to open it empty.
 * Time is passed in and stands still unless a test moves it.
 */
import type { Clock } from '@valetkey/core/base/clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Driver, KeyedRecord } from './driver.ts';

const start = 1_750_000_000;
const parallel = 25;

export interface MovableClock extends Clock {
  advance(seconds: number): void;
}

export function createMovableClock(): MovableClock {
  let seconds = start;
  return {
    nowMs: () => seconds * 1000,
    advance: (by) => {
      seconds += by;
    },
  };
}

/**
 * @param name of the driver, for the test titles.
 * @param open gives an empty driver.
 * @param openAgain gives a second driver on the same data, where the driver can be shared.
 */
export function driverSuite(
  name: string,
  open: (clock: Clock) => Promise<Driver>,
  openAgain?: (clock: Clock) => Promise<Driver>,
): void {
  describe(`driver ${name}`, () => {
    const world = { clock: createMovableClock() } as { clock: MovableClock; driver: Driver; other: Driver };
    beforeEach(async () => {
      world.clock = createMovableClock();
      world.driver = await open(world.clock);
      world.other = openAgain === undefined ? world.driver : await openAgain(world.clock);
    });
    afterEach(async () => {
      await world.driver.close();
      await world.other.close();
    });
    recordTests(world);
    raceTests(world);
    expiryTests(world);
    groupTests(world);
    valueTests(world);
    scanTests(world);
    lifecycleTests(world);
  });
}

interface SuiteWorld {
  clock: MovableClock;
  driver: Driver;
  /** On the same data; the same driver where it cannot be shared. */
  other: Driver;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const record = (text: string, expiresInSeconds?: number, groups: readonly string[] = []) => ({
  value: bytes(text),
  groups,
  ...(expiresInSeconds === undefined ? {} : { expiresAtSeconds: start + expiresInSeconds }),
});
const readText = async (driver: Driver, key: string) => {
  const found = await driver.get(key);
  return found === undefined ? undefined : new TextDecoder().decode(found.value);
};
const countTrue = (outcomes: readonly boolean[]) => outcomes.filter(Boolean).length;

function recordTests(world: SuiteWorld): void {
  test('an absent key has no record', async () => {
    expect(await world.driver.get('k')).toBeUndefined();
    expect(await world.driver.take('k')).toBeUndefined();
    expect(await world.driver.delete('k')).toBe(false);
    expect(await world.driver.replace('k', bytes('a'), record('b'))).toBe(false);
    expect(await readText(world.driver, 'k')).toBeUndefined();
  });

  test('put writes a record whole and replaces it whole', async () => {
    await world.driver.put('k', record('a', 60, ['g', 'h', 'g']));
    const first = await world.driver.get('k');
    expect(first?.expiresAtSeconds).toBe(start + 60);
    expect(first?.groups?.toSorted()).toEqual(['g', 'h']);
    await world.driver.put('k', record('b', undefined, ['i']));
    expect(await readText(world.other, 'k')).toBe('b');
    expect((await world.driver.get('k'))?.expiresAtSeconds).toBeUndefined();
    expect(await world.driver.list('g')).toEqual([]);
    expect(await world.driver.list('i')).toHaveLength(1);
  });

  test('create writes only where the key is free', async () => {
    expect(await world.driver.create('k', record('a', 60, ['g']))).toBe(true);
    expect(await world.other.create('k', record('b', 90, ['h']))).toBe(false);
    expect(await readText(world.driver, 'k')).toBe('a');
    expect(await world.driver.list('h')).toEqual([]);
    await world.driver.delete('k');
    expect(await world.driver.create('k', record('c'))).toBe(true);
    expect(await world.driver.list('g')).toEqual([]);
  });

  test('replace compares every byte, and replaces expiry and groups', async () => {
    await world.driver.put('k', record('a', 60, ['g']));
    expect(await world.driver.replace('k', bytes('A'), record('b'))).toBe(false);
    expect(await world.driver.replace('k', bytes('aa'), record('b'))).toBe(false);
    expect(await readText(world.driver, 'k')).toBe('a');
    expect(await world.driver.replace('k', bytes('a'), record('b', 90, ['h']))).toBe(true);
    expect((await world.driver.get('k'))?.expiresAtSeconds).toBe(start + 90);
    expect(await world.driver.list('g')).toEqual([]);
    expect(await world.driver.list('h')).toHaveLength(1);
  });

  test('take reads and deletes', async () => {
    await world.driver.put('k', record('a', 60, ['g']));
    const taken = await world.driver.take('k');
    expect(taken?.value).toEqual(bytes('a'));
    expect(taken?.groups).toEqual(['g']);
    expect(await world.other.get('k')).toBeUndefined();
    expect(await world.driver.list('g')).toEqual([]);
  });

  test('D64: keys that look alike are different records', async () => {
    const keys = ['a:b', 'a:B', 'a', 'a:', 'a%', 'a_b', "a'b", 'a\u0000b', '\u00e4', 'a\u0308'];
    for (const [index, key] of keys.entries()) {
      expect(await world.driver.create(key, record(String(index)))).toBe(true);
    }
    for (const [index, key] of keys.entries()) expect(await readText(world.driver, key)).toBe(String(index));
  });
}

function raceTests(world: SuiteWorld): void {
  const sides = () =>
    Array.from({ length: parallel }, (_, index) => (index % 2 ? world.driver : world.other));

  test('of many parallel takes exactly one gets the record', async () => {
    await world.driver.put('k', record('a'));
    const taken = await Promise.all(sides().map((driver) => driver.take('k')));
    expect(taken.filter((found) => found !== undefined)).toHaveLength(1);
  });

  test('of many parallel creates exactly one writes', async () => {
    const outcomes = await Promise.all(
      sides().map((driver, index) => driver.create('k', record(`v${index}`))),
    );
    expect(countTrue(outcomes)).toBe(1);
    expect(await readText(world.driver, 'k')).toBe(`v${outcomes.indexOf(true)}`);
  });

  test('of many parallel replaces of one value exactly one writes', async () => {
    await world.driver.put('k', record('a'));
    const outcomes = await Promise.all(
      sides().map((driver, index) => driver.replace('k', bytes('a'), record(`v${index}`))),
    );
    expect(countTrue(outcomes)).toBe(1);
    expect(await readText(world.other, 'k')).toBe(`v${outcomes.indexOf(true)}`);
  });

  test('of many parallel deletes exactly one says that it deleted', async () => {
    await world.driver.put('k', record('a'));
    expect(countTrue(await Promise.all(sides().map((driver) => driver.delete('k'))))).toBe(1);
  });
}

function expiryTests(world: SuiteWorld): void {
  test('D22: a record lives until its second of expiry and not in it', async () => {
    await world.driver.put('k', record('a', 60, ['g']));
    world.clock.advance(59);
    expect(await readText(world.driver, 'k')).toBe('a');
    expect(await world.driver.list('g')).toHaveLength(1);
    world.clock.advance(1);
    expect(await world.driver.get('k')).toBeUndefined();
    expect(await world.driver.list('g')).toEqual([]);
  });

  test('an expired record is absent for every operation before it is swept', async () => {
    const expired = async () => {
      await world.driver.put('k', record('a', 0, ['g']));
      return world.driver;
    };
    expect(await (await expired()).take('k')).toBeUndefined();
    expect(await (await expired()).delete('k')).toBe(false);
    expect(await (await expired()).deleteGroup('g')).toBe(0);
    expect(await (await expired()).replace('k', bytes('a'), record('b'))).toBe(false);
    expect(await (await expired()).create('k', record('c', 60, ['h']))).toBe(true);
    expect(await readText(world.driver, 'k')).toBe('c');
    expect(await world.driver.list('g')).toEqual([]);
  });

  test('D22: sweep removes expired records only, at most as many as asked', async () => {
    for (let index = 0; index < 5; index += 1) await world.driver.put(`old${index}`, record('a', 10, ['g']));
    await world.driver.put('young', record('b', 100, ['g']));
    await world.driver.put('kept', record('c', undefined, ['g']));
    expect(await world.driver.sweep(10)).toBe(0);
    world.clock.advance(10);
    expect(await world.driver.sweep(3)).toBe(3);
    expect(await world.driver.sweep(3)).toBe(2);
    expect(await world.driver.sweep(3)).toBe(0);
    expect((await world.driver.list('g')).map((found) => found.key).toSorted()).toEqual(['kept', 'young']);
  });
}

function groupTests(world: SuiteWorld): void {
  test('list gives the records of a group whole', async () => {
    await world.driver.put('a', record('1', 60, ['g', 'h']));
    await world.driver.put('b', record('2', undefined, ['g']));
    await world.driver.put('c', record('3'));
    const found = (await world.other.list('g')).toSorted((x, y) => x.key.localeCompare(y.key));
    expect(found.map(({ key }) => key)).toEqual(['a', 'b']);
    expect(found[0]?.record.value).toEqual(bytes('1'));
    expect(found[0]?.record.expiresAtSeconds).toBe(start + 60);
    expect(found[0]?.record.groups?.toSorted()).toEqual(['g', 'h']);
    expect(await world.driver.list('nobody')).toEqual([]);
  });

  test('deleteGroup deletes that group, counts the live, and leaves no trace in other groups', async () => {
    await world.driver.put('a', record('1', 60, ['g', 'h']));
    await world.driver.put('b', record('2', 0, ['g']));
    await world.driver.put('c', record('3', undefined, ['h']));
    expect(await world.driver.deleteGroup('g')).toBe(1);
    expect(await world.driver.get('a')).toBeUndefined();
    expect((await world.driver.list('h')).map(({ key }) => key)).toEqual(['c']);
    expect(await world.driver.deleteGroup('g')).toBe(0);
  });
}

function valueTests(world: SuiteWorld): void {
  const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);
  const big = Uint8Array.from({ length: 3 * 1024 * 1024 }, (_, index) => (index * 31) & 0xff);
  const values: [string, Uint8Array][] = [
    ['no byte', new Uint8Array()],
    ['one zero', new Uint8Array(1)],
    ['every byte', everyByte],
    ['a part of a larger buffer', everyByte.subarray(10, 20)],
    ['3 MiB', big],
  ];
  test.each(values)('a value of %s comes back byte for byte', async (_name, value) => {
    await world.driver.put('k', { value });
    const found = await world.other.get('k');
    expect(Buffer.compare(found?.value ?? Buffer.from('absent'), value)).toBe(0);
    expect(await world.driver.replace('k', value, record('next'))).toBe(true);
  });

  test('many keys are each found, listed and deleted', async () => {
    const keys = Array.from({ length: 500 }, (_, index) => `key${index}`);
    await Promise.all(keys.map((key) => world.driver.put(key, record(key, 60, ['all']))));
    expect(await readText(world.driver, 'key321')).toBe('key321');
    expect((await world.driver.list('all')).map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
    expect(await world.driver.deleteGroup('all')).toBe(500);
  });
}

function scanTests(world: SuiteWorld): void {
  const scanAll = async (driver: Driver) => {
    const found: KeyedRecord[] = [];
    for (let cursor: string | undefined, pages = 0; pages === 0 || cursor !== undefined; pages += 1) {
      const page = await driver.scan(cursor);
      found.push(...page.records);
      cursor = page.next;
    }
    return found;
  };

  test('scan gives every live record once and whole, and nothing of an empty store', async () => {
    expect(await scanAll(world.driver)).toEqual([]);
    const keys = Array.from({ length: 450 }, (_, index) => `key${index}`);
    await Promise.all(keys.map((key) => world.driver.put(key, record(key, 60, ['g', key]))));
    await world.driver.put('kept', record('kept'));
    await world.driver.put('expired', record('expired', 0));
    await world.driver.delete('key7');
    await world.driver.take('key8');
    const found = await scanAll(world.other);
    const expected = [...keys.filter((key) => key !== 'key7' && key !== 'key8'), 'kept'];
    expect(found.map(({ key }) => key).toSorted()).toEqual(expected.toSorted());
    const one = found.find(({ key }) => key === 'key321')?.record;
    expect({ ...one, groups: one?.groups?.toSorted() }).toEqual({
      value: bytes('key321'),
      expiresAtSeconds: start + 60,
      groups: ['g', 'key321'],
    });
  });

  test('what is deleted and written meanwhile does not make scan leave out a record', async () => {
    const keys = Array.from({ length: 450 }, (_, index) => `k${String(index).padStart(3, '0')}`);
    await Promise.all(keys.map((key) => world.driver.put(key, record(key))));
    const first = await world.driver.scan();
    const seen = first.records.map(({ key }) => key);
    await Promise.all(seen.map((key) => world.driver.delete(key)));
    await world.driver.put('a-late-one', record('late'));
    const rest: string[] = [];
    for (let cursor = first.next; cursor !== undefined; ) {
      const page = await world.driver.scan(cursor);
      rest.push(...page.records.map(({ key }) => key));
      cursor = page.next;
    }
    expect([...seen, ...rest].filter((key) => key.startsWith('k')).toSorted()).toEqual(keys);
  });
}

function lifecycleTests(world: SuiteWorld): void {
  test('an open driver answers ping; a closed one is unavailable and may be closed again', async () => {
    await world.driver.ping();
    await world.driver.close();
    await world.driver.close();
    await expect(world.driver.ping()).rejects.toMatchObject({ name: 'StoreUnavailable' });
    await expect(world.driver.get('k')).rejects.toMatchObject({ name: 'StoreUnavailable' });
    await expect(world.driver.put('k', record('a'))).rejects.toMatchObject({ name: 'StoreUnavailable' });
  });
}
