import { randomBytes } from 'node:crypto';
import { err, ok } from '@valetkey/core/base/result';
import { expect, test } from 'vitest';
import type { Driver } from '../store/driver.ts';
import { createTestClock, openSealedStore } from './sealed-store.suite.ts';
import { createSignInTransactions, signInCookieName } from './sign-in-transactions.ts';

interface Details {
  readonly interactionId: string;
}

function open(lifetimeSeconds = 600, wrap?: (driver: Driver) => Driver) {
  const clock = createTestClock(1_800_000_000_000);
  const store = openSealedStore(clock, wrap);
  const create = () =>
    createSignInTransactions<Details>({ store, clock, random: randomBytes, lifetimeSeconds });
  return { clock, create, transactions: create() };
}

async function begin(transactions: ReturnType<typeof open>['transactions'], interactionId = 'i1') {
  const begun = await transactions.begin(async (state) =>
    ok({ url: `https://login.example/authorize?state=${state}`, details: { interactionId } }),
  );
  if (!begun.ok) throw new Error('refused');
  return begun.value;
}

test('A19 A37 D64: the state is ours, random, new each time; the browser that began gets the details once', async () => {
  const { transactions } = open();
  const first = await begin(transactions);
  const second = await begin(transactions);
  expect(first.state).toMatch(/^[\w-]{43}$/u);
  expect(first.state).not.toBe(second.state);
  expect(first.cookieValue).not.toBe(second.cookieValue);
  expect(first.url).toContain(`state=${first.state}`);
  expect(await transactions.take(first.state, first.cookieValue)).toEqual(ok({ interactionId: 'i1' }));
  expect(await transactions.take(first.state, first.cookieValue)).toEqual(err('unknown'));
  expect(await transactions.take('never-issued', first.cookieValue)).toEqual(err('unknown'));
});

test('A19 CVE-2026-27124 D62: another browser is refused, and does not spend the transaction', async () => {
  const { transactions } = open();
  const victim = await begin(transactions);
  const attacker = await begin(transactions);
  for (const cookie of [undefined, '', attacker.cookieValue, victim.state, victim.cookieValue.slice(1)]) {
    expect(await transactions.take(victim.state, cookie)).toEqual(err('other_browser'));
  }
  expect(await transactions.take(victim.state, victim.cookieValue)).toEqual(ok({ interactionId: 'i1' }));
});

test('A19: of many callbacks at once exactly one gets the transaction', async () => {
  const { create, transactions } = open();
  const begun = await begin(transactions);
  const replicas = [transactions, create()];
  const results = await Promise.all(
    Array.from({ length: 10 }, (_, index) => replicas[index % 2]?.take(begun.state, begun.cookieValue)),
  );
  expect(results.filter((result) => result?.ok)).toHaveLength(1);
  expect(results.filter((result) => result && !result.ok && result.error === 'unknown')).toHaveLength(9);
});

test('A19: ten minutes at most, whatever is configured', async () => {
  for (const [configured, lives] of [
    [60, 60],
    [86_400, 600],
  ] as const) {
    const { transactions, clock } = open(configured);
    const early = await begin(transactions);
    const late = await begin(transactions);
    expect(early.lifetimeSeconds).toBe(lives);
    clock.advance(lives - 1);
    expect((await transactions.take(early.state, early.cookieValue)).ok).toBe(true);
    clock.advance(1);
    expect(await transactions.take(late.state, late.cookieValue)).toEqual(err('unknown'));
  }
});

test('D68: two sign-ins in one browser have two cookies; D63: each redirect has its own', async () => {
  const { transactions } = open();
  const first = await begin(transactions, 'i1');
  const second = await begin(transactions, 'i2');
  expect(first.cookieName).not.toBe(second.cookieName);
  expect(first.cookieName).toBe(signInCookieName(first.state));
  expect(first.cookieName).not.toContain(first.state);
  expect(await transactions.take(second.state, second.cookieValue)).toEqual(ok({ interactionId: 'i2' }));
  expect(await transactions.take(first.state, first.cookieValue)).toEqual(ok({ interactionId: 'i1' }));
});

test('a refused preparation stores nothing and sets no cookie', async () => {
  let writes = 0;
  const { transactions } = open(600, (driver) => ({
    ...driver,
    put: (key, record) => {
      writes += 1;
      return driver.put(key, record);
    },
  }));
  expect(await transactions.begin(async () => err('unavailable'))).toEqual(err('unavailable'));
  expect(writes).toBe(0);
});

test('the record holds a hash of the cookie, and the store neither state nor cookie', async () => {
  const written: string[] = [];
  const { transactions } = open(600, (driver) => ({
    ...driver,
    put: (key, record) => {
      written.push(key, Buffer.from(record.value).toString('latin1'));
      return driver.put(key, record);
    },
  }));
  const begun = await begin(transactions);
  expect(written).toHaveLength(2);
  expect(written.join('')).not.toContain(begun.state);
  expect(written.join('')).not.toContain(begun.cookieValue);
});
