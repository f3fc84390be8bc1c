import { expect, test } from 'vitest';
import { findLikelyWord } from './did-you-mean.ts';

test.each([
  ['upsteam', 'upstream'],
  ['up-stream', 'upstream'],
  ['tenantId', 'tenant'],
  ['PATH', 'path'],
  ['patch', 'path'],
  ['colour', undefined],
  ['x', undefined],
  ['', undefined],
])('%s → %s', (written, meant) => {
  expect(findLikelyWord(written, ['path', 'upstream', 'tenant'])).toBe(meant);
});
