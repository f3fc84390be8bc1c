import { expect, test } from 'vitest';
import { createTestClock, openSealedStore } from '../session/sealed-store.suite.ts';
import { type Driver, StoreUnavailable } from '../store/driver.ts';
import { createSessionBinding, type SessionBindingOptions } from './session-binding.ts';

/** One store, with as many replicas before it as a test opens. */
function setUp() {
  const clock = createTestClock(1_750_000_000_000);
  const seen = { operations: [] as string[], isDown: false };
  const watch = (driver: Driver): Driver => {
    const watched = Object.entries(driver).map(([name, work]) => [
      name,
      async (...args: unknown[]) => {
        seen.operations.push(name);
        if (seen.isDown) throw new StoreUnavailable('down for the test');
        return (work as (...args: unknown[]) => Promise<unknown>)(...args);
      },
    ]);
    return Object.fromEntries(watched) as Driver;
  };
  const store = openSealedStore(clock, watch);
  const open = (changes: Partial<SessionBindingOptions> = {}) =>
    createSessionBinding({ store, clock, backend: 'snippets', ...changes });
  return { clock, seen, open };
}

test('D61: a session belongs to the person who got it', async () => {
  const sessions = setUp().open();
  expect(await sessions.bind('s1', 'anna')).toBe(true);
  expect(await sessions.isOwner('s1', 'anna')).toBe(true);
  expect(await sessions.isOwner('s1', 'ben')).toBe(false);
  expect(await sessions.isOwner('s2', 'anna'), 'an unknown id is nobody’s').toBe(false);
});

test('D61 A57: on another replica it belongs to the same person, and to nobody else', async () => {
  const { open } = setUp();
  await open().bind('s1', 'anna');
  const other = open();
  expect(await other.isOwner('s1', 'ben')).toBe(false);
  expect(await other.bind('s1', 'ben'), 'an id that is taken is not given to a second person').toBe(false);
  expect(await other.isOwner('s1', 'anna')).toBe(true);
  expect(await open({ backend: 'other' }).isOwner('s1', 'anna'), 'at another backend').toBe(false);
});

test('an id that this replica knows costs no look into the store, one that cannot be an id neither', async () => {
  const { open, seen } = setUp();
  const [one, other] = [open(), open()];
  await one.bind('s1', 'anna');
  await other.isOwner('s1', 'anna');
  seen.operations.length = 0;
  for (const sessions of [one, other]) {
    expect(await sessions.isOwner('s1', 'anna')).toBe(true);
    expect(await sessions.bind('s1', 'anna')).toBe(true);
    for (const odd of ['', 'a b', 'é', 'x'.repeat(1025)])
      expect(await sessions.isOwner(odd, 'anna')).toBe(false);
  }
  expect(seen.operations).toEqual([]);
});

test('a forgotten session is unknown, and its id is free', async () => {
  const { open } = setUp();
  const [one, other] = [open(), open()];
  await one.bind('s1', 'anna');
  await other.forget('s1');
  expect(await other.isOwner('s1', 'anna')).toBe(false);
  expect(await other.bind('s1', 'ben')).toBe(true);
  expect(await open().isOwner('s1', 'anna')).toBe(false);
});

test('a session in use goes on for days, on all replicas; one that is left alone ends after a day', async () => {
  const { clock, open } = setUp();
  const sessions = open();
  for (const id of ['used', 'left']) await sessions.bind(id, 'anna');
  for (let hours = 0; hours < 30; hours += 5) {
    clock.advance(5 * 3600);
    expect(await sessions.isOwner('used', 'anna')).toBe(true);
    // What is noted again is noted beside the answer.
    await expect.poll(() => open().isOwner('used', 'anna')).toBe(true);
  }
  expect(await open().isOwner('left', 'anna')).toBe(false);
});

test('while the store is away what is known works, what is new works here, and what only the store knows is not judged', async () => {
  const { clock, open, seen } = setUp();
  const [one, other] = [open(), open()];
  await one.bind('s1', 'anna');
  seen.isDown = true;
  expect(await one.isOwner('s1', 'anna')).toBe(true);
  expect(await one.bind('s2', 'anna')).toBe(true);
  expect(await one.isOwner('s2', 'anna')).toBe(true);
  await expect(other.isOwner('s1', 'anna')).rejects.toBeInstanceOf(StoreUnavailable);
  await expect(one.bind('s2', 'ben'), 'in memory it is somebody else’s').rejects.toBeInstanceOf(
    StoreUnavailable,
  );
  await one.forget('s1');
  seen.isDown = false;
  clock.advance(60);
  expect(await one.isOwner('s2', 'anna')).toBe(true);
  await expect.poll(() => other.isOwner('s2', 'anna')).toBe(true);
});

test('one person opening sessions without end forgets only their own, in the store too', async () => {
  const { open } = setUp();
  const sessions = open({ maxPerPerson: 2 });
  await sessions.bind('b1', 'ben');
  for (const id of ['a1', 'a2', 'a3']) await sessions.bind(id, 'anna');
  await expect.poll(() => open().isOwner('a1', 'anna')).toBe(false);
  const known = await Promise.all(['a1', 'a2', 'a3'].map((id) => sessions.isOwner(id, 'anna')));
  expect(known).toEqual([false, true, true]);
  expect(await sessions.isOwner('b1', 'ben')).toBe(true);
});

test('memory is bounded, and the session used longest ago leaves it first', async () => {
  const { open, seen } = setUp();
  const sessions = open({ maxSessions: 2 });
  await sessions.bind('a', 'anna');
  await sessions.bind('b', 'ben');
  await sessions.isOwner('a', 'anna');
  await sessions.bind('c', 'carl');
  seen.operations.length = 0;
  expect(await sessions.isOwner('a', 'anna')).toBe(true);
  expect(seen.operations).toEqual([]);
  expect(await sessions.isOwner('b', 'ben'), 'the store has it still').toBe(true);
  expect(seen.operations).toEqual(['get']);
});
