import { expect, test } from 'vitest';
import { hasPlainFraming } from './message-framing.ts';

const framing = (httpVersion: string, coding?: string) =>
  hasPlainFraming({ httpVersion, headers: coding === undefined ? {} : { 'transfer-encoding': coding } });

test.each([
  ['1.1', undefined],
  ['1.1', 'chunked'],
  ['1.1', 'Chunked'],
  ['1.0', undefined],
])('A53: HTTP/%s with the coding %s is read in one way only', (version, coding) => {
  expect(framing(version, coding)).toBe(true);
});

test.each([
  ['0.9', undefined],
  ['2.0', undefined],
  ['1.2', undefined],
  ['', undefined],
  ['1.0', 'chunked'],
  ['1.1', 'gzip, chunked'],
  ['1.1', 'identity, chunked'],
  ['1.1', 'chunked, chunked'],
  ['1.1', ', chunked'],
  ['1.1', 'identity'],
  ['1.1', ''],
])('A53: HTTP/%s with the coding %j is refused', (version, coding) => {
  expect(framing(version, coding)).toBe(false);
});
