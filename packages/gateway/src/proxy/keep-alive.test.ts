import { expect, test } from 'vitest';
import type { RepeatingTimer } from '../store/sweeper.ts';
import { createKeepAlive } from './keep-alive.ts';

function createSeconds() {
  const works = new Set<() => void>();
  let started = 0;
  const timer: RepeatingTimer = (work) => {
    started += 1;
    works.add(work);
    return () => void works.delete(work);
  };
  const pass = (seconds: number) => {
    for (let passed = 0; passed < seconds; passed += 1) for (const work of works) work();
  };
  return { timer, pass, running: () => works.size, started: () => started };
}

test('a silent stream gets a comment every interval', () => {
  const { timer, pass } = createSeconds();
  const beats: number[] = [];
  let second = 0;
  createKeepAlive(15, timer).watch(() => beats.push(second));
  for (second = 1; second <= 46; second += 1) pass(1);
  expect(beats).toEqual([15, 30, 45]);
});

test('what happens on a stream puts its comment off, to one interval after it and no longer', () => {
  const { timer, pass } = createSeconds();
  const beats: number[] = [];
  let second = 0;
  const watched = createKeepAlive(15, timer).watch(() => beats.push(second));
  for (second = 1; second <= 60; second += 1) {
    pass(1);
    if (second === 14 || second === 16) watched.touch();
  }
  expect(beats).toEqual([31, 46]);
});

test('10,000 streams share one timer, and a stopped one costs nothing', () => {
  const { timer, pass, started, running } = createSeconds();
  const keepAlive = createKeepAlive(15, timer);
  let beats = 0;
  const watched = Array.from({ length: 10_000 }, () => keepAlive.watch(() => (beats += 1)));
  expect(started()).toBe(1);
  pass(15);
  expect(beats).toBe(10_000);
  for (const each of watched) each.stop();
  pass(30);
  expect(beats).toBe(10_000);
  keepAlive.close();
  expect(running()).toBe(0);
});

test('a stream that ends while it is visited is not visited again', () => {
  const { timer, pass } = createSeconds();
  let beats = 0;
  const watched = createKeepAlive(1, timer).watch(() => {
    beats += 1;
    watched.stop();
  });
  pass(5);
  expect(beats).toBe(1);
});

test('0 switches it off', () => {
  const { timer, started } = createSeconds();
  createKeepAlive(0, timer)
    .watch(() => expect.unreachable())
    .touch();
  expect(started()).toBe(0);
});
