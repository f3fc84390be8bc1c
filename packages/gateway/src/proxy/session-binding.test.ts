import { expect, test } from 'vitest';
import { createSessionBinding } from './session-binding.ts';

test('D61: a session belongs to the person who got it', () => {
  const sessions = createSessionBinding();
  expect(sessions.bind('s1', 'anna')).toBe(true);
  expect(sessions.isOwner('s1', 'anna')).toBe(true);
  expect(sessions.isOwner('s1', 'ben')).toBe(false);
  expect(sessions.isOwner('s2', 'anna'), 'an unknown id is nobody’s').toBe(false);
});

test('D61: an id that is taken is not given to a second person', () => {
  const sessions = createSessionBinding();
  sessions.bind('s1', 'anna');
  expect(sessions.bind('s1', 'ben')).toBe(false);
  expect(sessions.isOwner('s1', 'anna')).toBe(true);
});

test('a forgotten session is unknown', () => {
  const sessions = createSessionBinding();
  sessions.bind('s1', 'anna');
  sessions.forget('s1');
  expect(sessions.isOwner('s1', 'anna')).toBe(false);
  expect(sessions.bind('s1', 'ben')).toBe(true);
});

test('one person opening sessions without end forgets only their own', () => {
  const sessions = createSessionBinding({ maxPerPerson: 2 });
  sessions.bind('b1', 'ben');
  for (const id of ['a1', 'a2', 'a3']) sessions.bind(id, 'anna');
  expect(['a1', 'a2', 'a3'].map((id) => sessions.isOwner(id, 'anna'))).toEqual([false, true, true]);
  expect(sessions.isOwner('b1', 'ben')).toBe(true);
});

test('memory is bounded, and the session used longest ago goes first', () => {
  const sessions = createSessionBinding({ maxSessions: 2 });
  sessions.bind('a', 'anna');
  sessions.bind('b', 'ben');
  sessions.isOwner('a', 'anna');
  sessions.bind('c', 'carl');
  expect(sessions.isOwner('a', 'anna')).toBe(true);
  expect(sessions.isOwner('b', 'ben')).toBe(false);
});
