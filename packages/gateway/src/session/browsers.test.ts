import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { BROWSER_LIFETIME_SECONDS, createBrowsers } from './browsers.ts';
import { createTestClock, openSealedStore } from './sealed-store.suite.ts';

function open() {
  const clock = createTestClock(1_800_000_000_000);
  return { clock, browsers: createBrowsers({ store: openSealedStore(clock), clock, random: randomBytes }) };
}

test('a browser is recognised by the id it was given, until it expires', async () => {
  const { browsers, clock } = open();
  const id = await browsers.remember(undefined, 't1.o1');
  expect(id).toMatch(/^[\w-]{43}$/u);
  expect(await browsers.find(id)).toBe('t1.o1');
  clock.advance(BROWSER_LIFETIME_SECONDS);
  expect(await browsers.find(id)).toBeUndefined();
});

test('session fixation: an id that a browser made up is never adopted', async () => {
  const { browsers } = open();
  const id = await browsers.remember('planted-by-an-attacker', 't1.o1');
  expect(id).not.toBe('planted-by-an-attacker');
  expect(await browsers.find('planted-by-an-attacker')).toBeUndefined();
  for (const nothing of [undefined, '']) expect(await browsers.find(nothing)).toBeUndefined();
});

test("session fixation: an attacker's own genuine id, planted in a victim's browser, does not become the victim", async () => {
  const { browsers } = open();
  const attackers = await browsers.remember(undefined, 't1.attacker');
  const victims = await browsers.remember(attackers, 't1.victim');
  expect(await browsers.find(attackers)).toBeUndefined();
  expect(await browsers.find(victims)).toBe('t1.victim');
});

test('a person can be forgotten in all browsers', async () => {
  const { browsers } = open();
  const ids = [await browsers.remember(undefined, 't1.o1'), await browsers.remember(undefined, 't1.o1')];
  const other = await browsers.remember(undefined, 't1.o2');
  await browsers.forgetPerson('t1.o1');
  for (const id of ids) expect(await browsers.find(id)).toBeUndefined();
  expect(await browsers.find(other)).toBe('t1.o2');
});
