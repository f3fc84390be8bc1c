import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createCapacity, type Release } from './capacity.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => {};

function must(release: Release | undefined | Promise<Release | undefined>): Release {
  if (typeof release !== 'function') throw new Error('no place');
  return release;
}

test('without bounds everybody enters at once', () => {
  const capacity = createCapacity({ maxQueued: 0, queueMs: 100 });
  for (let count = 0; count < 1000; count += 1) must(capacity.enter('call', never));
  expect(capacity.count()).toEqual({ calls: 1000, streams: 0, waiting: 0 });
});

test('calls and streams have bounds of their own; what is no request has none', () => {
  const capacity = createCapacity({ maxConcurrent: 1, maxStreams: 2, maxQueued: 0, queueMs: 100 });
  const call = must(capacity.enter('call', never));
  expect(capacity.enter('call', never)).toBeUndefined();
  const streams = [must(capacity.enter('stream', never)), must(capacity.enter('stream', never))];
  expect(capacity.enter('stream', never)).toBeUndefined();
  for (let count = 0; count < 10; count += 1) must(capacity.enter(undefined, never))();
  call();
  call();
  expect(capacity.count(), 'given back twice is one place').toEqual({ calls: 0, streams: 2, waiting: 0 });
  must(capacity.enter('call', never));
  streams[0]?.();
  must(capacity.enter('stream', never));
});

test('the queue: first come, first served, so many at most, and not for ever', async () => {
  const capacity = createCapacity({ maxConcurrent: 1, maxQueued: 2, queueMs: 100 });
  const first = must(capacity.enter('call', never));
  const order: string[] = [];
  const second = Promise.resolve(capacity.enter('call', never)).then((release) => {
    order.push('second');
    return release;
  });
  const third = Promise.resolve(capacity.enter('call', never)).then((release) => {
    order.push('third');
    return release;
  });
  expect(capacity.enter('call', never), 'the queue is full').toBeUndefined();
  expect(capacity.count()).toEqual({ calls: 1, streams: 0, waiting: 2 });
  first();
  must(await second)();
  must(await third);
  expect(order).toEqual(['second', 'third']);
  const late = capacity.enter('call', never);
  vi.advanceTimersByTime(100);
  expect(await late).toBeUndefined();
  expect(capacity.count()).toEqual({ calls: 1, streams: 0, waiting: 0 });
});

test('who leaves the queue takes no place', async () => {
  const capacity = createCapacity({ maxConcurrent: 1, maxQueued: 2, queueMs: 100 });
  const first = must(capacity.enter('call', never));
  let leave = never;
  const gone = capacity.enter('call', (giveUp) => {
    leave = giveUp;
  });
  const next = capacity.enter('call', never);
  leave();
  expect(await gone).toBeUndefined();
  first();
  must(await next)();
  leave();
  expect(capacity.count()).toEqual({ calls: 0, streams: 0, waiting: 0 });
});
