import { expect, test } from 'vitest';
import { createTestClock } from '../../session/sealed-store.suite.ts';
import { createCrashWait } from './crash-wait.ts';

test('the first failure waits for nothing, each further one for longer, up to half a minute', () => {
  const clock = createTestClock(0);
  const wait = createCrashWait(clock);
  const waits = Array.from({ length: 8 }, () => {
    wait.noteEnd('anna', 100);
    return wait.leftMs('anna');
  });
  expect(waits).toEqual([0, 1000, 2000, 5000, 10_000, 30_000, 30_000, 30_000]);
  clock.advance(30);
  expect(wait.leftMs('anna')).toBe(0);
  expect(wait.leftMs('ben'), 'another person').toBe(0);
});

test('what has lived for a while has not failed to start', () => {
  const wait = createCrashWait(createTestClock(0));
  for (const livedMs of [100, 100, 100, 60_000]) wait.noteEnd('anna', livedMs);
  expect(wait.leftMs('anna')).toBe(0);
  wait.noteEnd('anna', 100);
  expect(wait.leftMs('anna')).toBe(1000);
});

test('strangers without end do not fill the memory', () => {
  const wait = createCrashWait(createTestClock(0));
  for (let who = 0; who < 10_002; who += 1) {
    wait.noteEnd(String(who), 0);
    wait.noteEnd(String(who), 0);
  }
  expect([wait.leftMs('0'), wait.leftMs('10001')]).toEqual([0, 1000]);
});
