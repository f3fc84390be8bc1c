import { expect, test } from 'vitest';
import { checkCsrfToken, createCsrfToken } from './csrf.ts';

const key = new Uint8Array(32).fill(7);
const token = createCsrfToken(key, 'browser-1', 'question-1');

test.each([
  ['the same question in the same browser', key, 'browser-1', 'question-1', token, true],
  ['A43: another browser', key, 'browser-2', 'question-1', token, false],
  ['A43: another question', key, 'browser-1', 'question-2', token, false],
  ['another key', new Uint8Array(32), 'browser-1', 'question-1', token, false],
  ['ids cut differently', key, 'browser-1question', '-1', token, false],
  ['ids swapped', key, 'question-1', 'browser-1', token, false],
  ['a shortened token', key, 'browser-1', 'question-1', token.slice(0, -1), false],
  ['an empty token', key, 'browser-1', 'question-1', '', false],
])('%s', (_, withKey, browserId, interactionId, presented, expected) => {
  expect(checkCsrfToken(withKey, browserId, interactionId, presented)).toBe(expected);
});
