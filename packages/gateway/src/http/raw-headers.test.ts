import { expect, test } from 'vitest';
import { findRawHeader } from './raw-headers.ts';

const raw = ['Host', 'one', 'X-A', '1', 'x-a', '2', 'X-a', '3', 'Empty', ''];

test.each([
  ['host', 'one'],
  ['x-a', ['1', '2', '3']],
  ['empty', ''],
  ['hos', undefined],
  ['one', undefined],
])('%s', (name, value) => {
  expect(findRawHeader(raw, name)).toEqual(value);
});
