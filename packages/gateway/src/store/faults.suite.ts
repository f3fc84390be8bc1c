/** What a driver that talks to a server does when the network or the server fails, with a real server and real time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '@valetkey/core/base/clock';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StoreConfig } from '../config/config.ts';
import { type Driver, type KeyedRecord, StoreUnavailable } from './driver.ts';
import { type RealServer, storeConfigOf, until } from './real-servers.suite.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.suite.ts';

const clock: Clock = { nowMs: () => Date.now() };
const deadlineMs = 1_000;
const bytes = (value: string) => new TextEncoder().encode(value);
const text = (value: Uint8Array | undefined) => new TextDecoder().decode(value);

export interface FaultSuiteOptions {
  readonly start: () => Promise<FaultyServer>;
  readonly open: (config: StoreConfig, clock: Clock, deadlineMs: number) => Promise<Driver>;
  /** The configuration, led through another port. Not asked where the server has its own proxy. */
  readonly through?: (config: StoreConfig, port: number) => StoreConfig;
}

/**
 * Of a server that clients find at one address: a plain one, before which the suite puts its proxy. Servers that tell
 * clients where to go tell them their proxies' ports, so their proxies are there from the start.
 */
export interface FaultyServer extends RealServer {
  readonly proxy?: TcpProxy;
  /** Where the data lies, past the proxies. Default: `url`. */
  readonly besideUrl?: string;
  /** Until it has got over the faults of the test before. */
  untilSettled?(): Promise<void>;
}

interface FaultWorld extends FaultSuiteOptions {
  server: FaultyServer;
  proxy: TcpProxy;
  /** How the driver under test finds the server. */
  config: StoreConfig;
  /** Through the proxy, in a hurry. */
  driver: Driver;
  /** The same way, with the time that a gateway has: so long that a library could find the server again. */
  patient: Driver;
  /** Beside the proxy. */
  direct: Driver;
}

export function faultSuite(name: string, options: FaultSuiteOptions): void {
  describe(`faults of ${name}`, () => {
    const world = { ...options } as FaultWorld;
    beforeAll(async () => {
      world.server = await options.start();
    }, 60_000);
    afterAll(() => world.server.close());
    beforeEach(async () => {
      const { server, through } = world;
      world.proxy = server.proxy ?? (await startTcpProxy(server.port));
      const config = storeConfigOf(server.url);
      world.config = server.proxy === undefined ? (through?.(config, world.proxy.port) ?? config) : config;
      await server.untilSettled?.();
      world.direct = await options.open(storeConfigOf(server.besideUrl ?? server.url), clock, 5_000);
      world.driver = await options.open(world.config, clock, deadlineMs);
      world.patient = await options.open(world.config, clock, 5_000);
      await clear(world.direct);
    });
    afterEach(async () => {
      for (const driver of [world.driver, world.patient, world.direct]) await driver.close();
      if (world.server.proxy === undefined) await world.proxy.close();
      else Object.assign(world.proxy, { mode: 'pass', delayMs: 0 });
    });
    networkTests(world);
    restartTests(world);
    processTests(world);
  });
}

async function clear(driver: Driver): Promise<void> {
  for (const { key } of await scanAll(driver)) await driver.delete(key);
}

async function scanAll(driver: Driver): Promise<KeyedRecord[]> {
  const found: KeyedRecord[] = [];
  for (let cursor: string | undefined, pages = 0; pages === 0 || cursor !== undefined; pages += 1) {
    const page = await driver.scan(cursor);
    found.push(...page.records);
    cursor = page.next;
  }
  return found;
}

/** Every operation once. */
function everyOperation(driver: Driver, id: string): [name: string, run: () => Promise<unknown>][] {
  const record = { value: bytes(id), groups: ['g'] };
  return [
    ['get', () => driver.get(id)],
    ['put', () => driver.put(`${id}-put`, record)],
    ['create', () => driver.create(`${id}-create`, record)],
    ['replace', () => driver.replace(id, bytes(id), record)],
    ['take', () => driver.take(`${id}-take`)],
    ['delete', () => driver.delete(`${id}-delete`)],
    ['list', () => driver.list('g')],
    ['deleteGroup', () => driver.deleteGroup('nobody')],
    ['scan', () => driver.scan()],
    ['sweep', () => driver.sweep(10)],
    ['ping', () => driver.ping()],
  ];
}

const asFault = (fault: unknown): unknown => fault;
const faultsOf = (outcomes: PromiseSettledResult<unknown>[]): unknown[] =>
  outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));

function networkTests(world: FaultWorld): void {
  test('A57: a slow network makes slow answers, and right ones', async () => {
    world.proxy.delayMs = 60;
    for (const [name, run] of everyOperation(world.driver, 'slow'))
      await expect(run(), name).resolves.not.toThrow();
    expect(text((await world.driver.get('slow-put'))?.value)).toBe('slow');
  });

  test('A57: every operation through a network that fell silent is StoreUnavailable in time, and works later', async () => {
    await world.driver.put('k', { value: bytes('v') });
    world.proxy.mode = 'silent';
    const startedMs = performance.now();
    const operations = everyOperation(world.driver, 'silent');
    const outcomes = await Promise.allSettled(operations.map(([, run]) => run()));
    for (const [index, outcome] of outcomes.entries())
      expect(outcome, operations[index]?.[0]).toMatchObject({ reason: { name: 'StoreUnavailable' } });
    expect(performance.now() - startedMs).toBeLessThan(deadlineMs + 3_000);
    world.proxy.mode = 'pass';
    world.proxy.cut();
    await until('the driver', () =>
      world.driver.ping().then(
        () => true,
        () => false,
      ),
    );
    expect(text((await world.driver.get('k'))?.value)).toBe('v');
  }, 40_000);

  test('A57: of calls whose connections are cut each ends whole or StoreUnavailable', async () => {
    const answered: string[] = [];
    const calls: Promise<unknown>[] = [];
    for (let round = 0; round < 6; round += 1) {
      world.proxy.delayMs = 5 + round * 5;
      for (let index = 0; index < 20; index += 1) {
        const key = `r${round}i${index}`;
        const record = { value: bytes(key), groups: ['cut', `of-${key}`] };
        calls.push(world.driver.put(key, record).then(() => void answered.push(key), asFault));
      }
      await wait(8 + round * 4);
      world.proxy.cut();
      await until('the driver', () =>
        world.driver.ping().then(
          () => true,
          () => false,
        ),
      );
    }
    for (const fault of await Promise.all(calls))
      if (fault !== undefined) expect(fault).toBeInstanceOf(StoreUnavailable);
    world.proxy.delayMs = 0;
    await expectConsistent(world.direct);
    const there = new Set((await world.direct.list('cut')).map(({ key }) => key));
    expect(answered.filter((key) => !there.has(key))).toEqual([]);
  }, 60_000);

  test('A17 A57: a change whose answer was lost is not made again: the caller is told that nobody knows', async () => {
    const { patient: driver, direct, proxy } = world;
    const lose = async (work: () => Promise<unknown>, isDone: () => Promise<boolean>) => {
      await driver.ping();
      proxy.mode = 'mute';
      const outcome = work().catch(asFault);
      await until('the change', isDone);
      proxy.mode = 'pass';
      proxy.cut();
      const ended = await outcome;
      await until('the driver', () =>
        driver.ping().then(
          () => true,
          () => false,
        ),
      );
      return ended;
    };
    await direct.put('code', { value: bytes('code'), groups: ['g'] });
    const isTaken = async () => (await direct.get('code')) === undefined;
    expect(await lose(() => driver.take('code'), isTaken)).toBeInstanceOf(StoreUnavailable);
    expect(await direct.list('g')).toEqual([]);
    const isMade = async () => (await direct.get('made')) !== undefined;
    const create = () => driver.create('made', { value: bytes('v') });
    expect(await lose(create, isMade)).toBeInstanceOf(StoreUnavailable);
    const isNext = async () => text((await direct.get('made'))?.value) === 'w';
    const replace = () => driver.replace('made', bytes('v'), { value: bytes('w') });
    expect(await lose(replace, isNext)).toBeInstanceOf(StoreUnavailable);
    const isGone = async () => (await direct.get('made')) === undefined;
    expect(await lose(() => driver.delete('made'), isGone)).toBeInstanceOf(StoreUnavailable);
  }, 30_000);

  test('A57: no crowd gathers in front of a server that refuses: 3,000 calls end in time, and the next ones work', async () => {
    world.proxy.mode = 'refuse';
    world.proxy.cut();
    const startedMs = performance.now();
    const calls = Array.from({ length: 3_000 }, (_, index) =>
      world.driver.create(`crowd${index}`, { value: bytes('v') }),
    );
    const faults = faultsOf(await Promise.allSettled(calls));
    expect(faults).toHaveLength(3_000);
    for (const fault of faults) expect(fault).toBeInstanceOf(StoreUnavailable);
    expect(performance.now() - startedMs).toBeLessThan(deadlineMs + 8_000);
    world.proxy.mode = 'pass';
    await until('the driver', () =>
      world.driver.ping().then(
        () => true,
        () => false,
      ),
    );
    // Nothing that was refused is written behind the caller's back.
    expect((await scanAll(world.direct)).filter(({ key }) => key.startsWith('crowd'))).toEqual([]);
  }, 30_000);

  test('no message of a fault names the address, the password or a key', async () => {
    world.proxy.mode = 'refuse';
    world.proxy.cut();
    const fault: unknown = await world.driver.get('secret-key').catch((reason: unknown) => reason);
    const told = fault instanceof Error ? `${fault.message} ${fault.stack} ${String(fault.cause)}` : '';
    expect(fault).toBeInstanceOf(StoreUnavailable);
    expect(told).not.toContain('secret-key');
    expect(told).not.toContain(String(world.proxy.port));
    const { password } = new URL(world.server.url.split(',', 1)[0] ?? '');
    if (password !== '') expect(told).not.toContain(password);
  });
}

/** The index of groups and the records say the same. */
async function expectConsistent(driver: Driver): Promise<void> {
  const records = await scanAll(driver);
  const groups = new Map<string, string[]>();
  for (const { key, record } of records)
    for (const group of record.groups ?? []) groups.set(group, [...(groups.get(group) ?? []), key]);
  for (const [group, keys] of groups) {
    const listed = (await driver.list(group)).map(({ key }) => key);
    expect(listed.toSorted(), group).toEqual(keys.toSorted());
  }
}

function restartTests(world: FaultWorld): void {
  test('A31 D22 D49: a server killed and started again in the middle of every operation: nothing half written, nothing twice', async () => {
    const { patient: driver } = world;
    const state = { stop: false, faults: 0, calls: 0, added: 0, maybeAdded: 0 };
    const created: string[] = [];
    const maybeTaken = new Set<string>();
    const taken = new Map<string, number>();
    await driver.put('counter', { value: bytes('0') });

    const guard = async (work: () => Promise<void>) => {
      state.calls += 1;
      try {
        await work();
      } catch (fault) {
        if (!(fault instanceof StoreUnavailable)) throw fault;
        state.faults += 1;
      }
    };
    const worker = async (id: number) => {
      for (let turn = 0; !state.stop; turn += 1) {
        const key = `w${id}t${turn}`;
        const groups = ['all', `worker${id}`];
        await guard(async () => {
          if (await driver.create(key, { value: bytes(key), groups })) created.push(key);
        });
        await guard(async () => {
          const current = await driver.get('counter');
          const next = { value: bytes(String(Number(text(current?.value)) + 1)) };
          state.maybeAdded += 1;
          if (current !== undefined && (await driver.replace('counter', current.value, next)))
            state.added += 1;
          else state.maybeAdded -= 1;
        });
        await guard(async () =>
          driver.put(`own${id}`, { value: bytes(key), groups: [`own${turn % 3}`, 'own'] }),
        );
        if (turn % 3 === 0) {
          maybeTaken.add(key);
          const take = async () => {
            if ((await driver.take(key)) !== undefined) taken.set(key, (taken.get(key) ?? 0) + 1);
          };
          await Promise.all([guard(take), guard(take)]);
        }
        await guard(async () => void (await driver.list(`worker${id}`)));
        await guard(async () => void (await driver.sweep(10)));
        await guard(async () => void (await driver.deleteGroup(`nobody${id}`)));
        await wait(1);
      }
    };
    const workers = Array.from({ length: 8 }, (_, id) => worker(id));
    for (let restart = 0; restart < 2; restart += 1) {
      await wait(400);
      await world.server.kill();
      await wait(150);
      await world.server.start();
    }
    await wait(600);
    const callsBefore = state.calls;
    await until('answers after the restart', async () => state.calls > callsBefore + 50);
    state.stop = true;
    await Promise.all(workers);

    await expectConsistent(driver);
    const there = new Map((await scanAll(driver)).map(({ key, record }) => [key, record]));
    for (const key of created.filter((each) => !maybeTaken.has(each))) expect(there.has(key), key).toBe(true);
    for (const [key, record] of there) if (key.startsWith('w')) expect(text(record.value)).toBe(key);
    for (const [key, times] of taken) {
      expect(times, key).toBe(1);
      expect(there.has(key), key).toBe(false);
    }
    const counted = Number(text(there.get('counter')?.value));
    expect(counted).toBeGreaterThanOrEqual(state.added);
    expect(counted).toBeLessThanOrEqual(state.maybeAdded);
    expect(state.added).toBeGreaterThan(10);
    expect(taken.size).toBeGreaterThan(10);
  }, 60_000);

  test('a server that is away when the driver is opened is StoreUnavailable in time', async () => {
    world.proxy.mode = 'refuse';
    world.proxy.cut();
    const startedMs = performance.now();
    await expect(world.open(world.config, clock, deadlineMs)).rejects.toBeInstanceOf(StoreUnavailable);
    expect(performance.now() - startedMs).toBeLessThan(6_000);
  }, 20_000);
}

const child = fileURLToPath(new URL('driver-process.suite.ts', import.meta.url));

function startProcess(world: FaultWorld, job: string, count: number): ChildProcess {
  const args = ['--conditions=valetkey-source', '--disable-warning=ExperimentalWarning', child];
  return spawn(process.execPath, [...args, world.server.url, job, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function readLine(process: ChildProcess): Promise<unknown> {
  if (process.stdout === null) throw new Error('no output');
  for await (const line of createInterface(process.stdout)) return JSON.parse(line);
  throw new Error('the child ended without an answer');
}

function processTests(world: FaultWorld): void {
  test('A57 D22: each record is taken by exactly one call of two processes with 25 at a time', async () => {
    const count = 400;
    const record = { value: bytes('v'), groups: ['codes'] };
    await Promise.all(Array.from({ length: count }, (_, index) => world.direct.put(`k${index}`, record)));
    const answers = await Promise.all([1, 2].map(() => readLine(startProcess(world, 'take', count))));
    const taken = (answers as number[][]).flat();
    expect(taken.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
    expect(await world.direct.list('codes')).toEqual([]);
  }, 40_000);

  test('A57 D23: no compare-and-set of two processes with 25 at a time is lost', async () => {
    await world.direct.put('counter', { value: bytes('0') });
    const answers = await Promise.all([1, 2].map(() => readLine(startProcess(world, 'count', 100))));
    expect(answers).toEqual(['done', 'done']);
    expect(text((await world.direct.get('counter'))?.value)).toBe('200');
  }, 40_000);

  test('A57 D23: of two processes that create the same records each record has one maker', async () => {
    const answers = await Promise.all([1, 2].map(() => readLine(startProcess(world, 'create', 300))));
    const made = (answers as number[][]).flat();
    expect(made.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, index) => index));
  }, 40_000);
}
