import { err, ok } from '@valetkey/core/base/result';
import { Secret } from '@valetkey/core/base/secret';
import { expect, test } from 'vitest';
import { createTestClock } from '../session/sealed-store.suite.ts';
import { type Acquired, createKeptTokens } from './kept-tokens.ts';

type Refusal = { readonly kind: string; readonly retryAfterSeconds?: number };

function open(lifeSeconds = 3600) {
  const clock = createTestClock(1_700_000_000_000);
  const kept = createKeptTokens<Refusal>({ clock, maxOwners: 2 });
  const asked: (string | undefined)[] = [];
  let next: (() => Acquired<Refusal>) | undefined;
  const make = (text: string) =>
    ok({
      accessToken: new Secret(text),
      expiresAtSeconds: Math.floor(clock.nowMs() / 1000) + lifeSeconds,
    });
  const get = (owner = 'anna', more: { rejected?: Secret; demand?: string } = {}) =>
    kept.get({
      owner,
      name: 'api',
      acquire: async () => {
        asked.push(more.demand);
        return next?.() ?? make(`${owner}-${asked.length}`);
      },
      ...more,
    });
  return {
    clock,
    kept,
    asked,
    get,
    answer: (with_: (() => Acquired<Refusal>) | undefined) => (next = with_),
  };
}

const textOf = (acquired: Acquired<Refusal>) =>
  acquired.ok ? acquired.value.accessToken.reveal() : acquired.error.kind;

test('a token is asked for once however many ask, and then is there without a promise', async () => {
  const { get, asked } = open();
  const first = await Promise.all([get(), get(), get()]);
  expect(first.map(textOf)).toEqual(['anna-1', 'anna-1', 'anna-1']);
  expect(get()).not.toBeInstanceOf(Promise);
  expect(textOf(await get('ben'))).toBe('ben-2');
  expect(asked).toHaveLength(2);
});

test('near its end it is renewed while it goes on being used; at its end everybody waits', async () => {
  const { get, asked, clock } = open();
  await get();
  clock.advance(3600 - 301);
  expect(textOf(await get())).toBe('anna-1');
  expect(asked).toHaveLength(1);
  clock.advance(2);
  expect(textOf(await get())).toBe('anna-1');
  await Promise.resolve();
  expect(asked).toHaveLength(2);
  expect(textOf(await get())).toBe('anna-2');
  clock.advance(3600 - 29);
  const waiting = get();
  expect(waiting).toBeInstanceOf(Promise);
  expect(textOf(await waiting)).toBe('anna-3');
});

test('a token of a day is renewed at half its life', async () => {
  const { get, asked, clock } = open(24 * 3600);
  await get();
  clock.advance(12 * 3600 - 1);
  await get();
  expect(asked).toHaveLength(1);
  clock.advance(1);
  await get();
  expect(asked).toHaveLength(2);
});

test('a renewal ahead of time that fails is nobody’s matter while the old token lives', async () => {
  const { get, asked, clock, answer } = open();
  await get();
  clock.advance(3400);
  answer(() => err({ kind: 'unavailable' }));
  expect(textOf(await get())).toBe('anna-1');
  await Promise.resolve();
  expect(textOf(await get())).toBe('anna-1');
  expect(asked, 'not asked again at once').toHaveLength(2);
  answer(() => {
    throw new Error('the store is away');
  });
  clock.advance(6);
  expect(textOf(await get())).toBe('anna-1');
  clock.advance(170);
  await expect(get()).rejects.toThrow('the store is away');
});

test('a refusal is given again until its time is over, and a demand is not held up by it', async () => {
  const { get, asked, clock, answer } = open();
  answer(() => err({ kind: 'unavailable', retryAfterSeconds: 20 }));
  expect(textOf(await get())).toBe('unavailable');
  clock.advance(19);
  expect(textOf(await get())).toBe('unavailable');
  expect(asked).toHaveLength(1);
  clock.advance(1);
  answer(undefined);
  expect(textOf(await get())).toBe('anna-2');
});

test('a token that its API refuses is renewed once, and never when it is seconds old', async () => {
  const { get, asked, clock } = open();
  await get();
  const rejected = new Secret('anna-1');
  expect(textOf(await get('anna', { rejected }))).toBe('anna-1');
  clock.advance(30);
  const renewed = await Promise.all([get('anna', { rejected }), get('anna', { rejected })]);
  expect(renewed.map(textOf)).toEqual(['anna-2', 'anna-2']);
  expect(textOf(await get('anna', { rejected })), 'who comes late gets the one that is there').toBe('anna-2');
  expect(asked).toHaveLength(2);
});

test('a demand is asked for at once, shared only with the same demand, and its token is kept', async () => {
  const { get, asked } = open();
  await get();
  const rejected = new Secret('anna-1');
  await Promise.all([
    get('anna', { rejected, demand: 'c1' }),
    get('anna', { rejected, demand: 'c1' }),
    get('anna', { rejected, demand: 'c2' }),
  ]);
  expect(asked).toEqual([undefined, 'c1', 'c2']);
  expect(textOf(await get())).not.toBe('anna-1');
  expect(textOf(await get('anna', { rejected, demand: 'c1' })), 'another one is there already').not.toBe(
    'anna-1',
  );
  expect(asked).toHaveLength(3);
});

test('what is forgotten is asked for anew, and the oldest owner goes when there are too many', async () => {
  const { get, kept, asked } = open();
  await get('anna');
  kept.forget('anna');
  await get('anna');
  await get('ben');
  await get('cleo');
  await get('anna');
  expect(asked).toHaveLength(5);
  await get('cleo');
  expect(asked).toHaveLength(5);
});
