import { randomBytes } from 'node:crypto';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { expect, test } from 'vitest';
import { createTestClock, openSealedStore } from '../session/sealed-store.suite.ts';
import type { EntraPerson, EntraRefusal } from './entra.ts';
import { createSingleFlight } from './single-flight.ts';

const person = (role: string): EntraPerson => ({
  tenantId: 't',
  objectId: 'o',
  roles: [role],
  groups: [],
});
const refused: EntraRefusal = { kind: 'interaction', description: 'the account is disabled' };

/** Two replicas on one store. */
function open() {
  const clock = createTestClock(1_800_000_000_000);
  const store = openSealedStore(clock);
  const replica = () => createSingleFlight({ store, random: randomBytes });
  return { clock, one: replica(), two: replica() };
}

/** A renewal that ends when the test says so. */
function held(answer: Result<EntraPerson, EntraRefusal>) {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise, resolve } = Promise.withResolvers<typeof answer>();
  const renew = () => {
    ask();
    return promise;
  };
  return { renew, asked, finish: () => resolve(answer) };
}

test('A28: who waited takes the answer of the one who asked', async () => {
  const { one, two } = open();
  const first = held(ok(person('Writer')));
  const asking = one('s', first.renew);
  await first.asked;
  const waiting = Promise.all([two('s', unexpected), two('s', unexpected)]);
  first.finish();
  expect(await asking).toEqual(ok(person('Writer')));
  expect(await waiting).toEqual([ok(person('Writer')), ok(person('Writer'))]);
});

const unexpected = async () => err({ kind: 'invalid', description: 'asked again' } satisfies EntraRefusal);

test('a refusal is shared by nobody: each who waited hears one of its own', async () => {
  const { one, two } = open();
  const first = held(err(refused));
  const asking = one('s', first.renew);
  await first.asked;
  const waiting = two('s', async () => ok(person('Reader')));
  first.finish();
  expect(await asking).toEqual(err(refused));
  expect(await waiting).toEqual(ok(person('Reader')));
});

test('A57: an answer that a clock ahead has left behind is nobody’s who did not wait for it', async () => {
  const { clock, one, two } = open();
  clock.advance(600);
  await one('s', async () => ok(person('Writer')));
  clock.advance(-600);
  const first = held(ok(person('Nobody')));
  const fault = new Error('the store is away');
  const asking = one('s', async () => {
    await first.renew();
    throw fault;
  });
  await first.asked;
  const waiting = two('s', async () => ok(person('Reader')));
  first.finish();
  await expect(asking).rejects.toBe(fault);
  expect(await waiting).toEqual(ok(person('Reader')));
});
