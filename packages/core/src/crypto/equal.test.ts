import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isEqualBytes, isEqualText } from './equal.ts';
import { hashToken } from './token-hash.ts';

/** Half surrogate pairs too. */
const anyText = fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units));

test('D35: equality of text is by code unit, for any two strings', () => {
  fc.assert(
    fc.property(anyText, anyText, (left, right) => {
      expect(isEqualText(left, right)).toBe(left === right);
      expect(isEqualText(left, left)).toBe(true);
    }),
  );
});

test.each([
  ['', 'a', false],
  ['', '', true],
  ['abc', 'abcd', false],
  ['I', 'ı', false],
  ['é', 'e\u0301', false],
  ['\ud800', '\ufffd', false],
  ['S256', 's256', false],
])('D35: %j and %j', (left, right, same) => {
  expect(isEqualText(left, right)).toBe(same);
});

test('bytes of different lengths are compared without a fault', () => {
  expect(isEqualBytes(new Uint8Array(3), new Uint8Array(4))).toBe(false);
  expect(isEqualBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
});

test('D22: an identifier is stored as its SHA-256 in base64url', () => {
  expect(hashToken('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
  expect(hashToken('abc ')).not.toBe(hashToken('abc'));
});
