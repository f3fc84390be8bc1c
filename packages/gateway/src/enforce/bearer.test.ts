import { err, ok } from '@valetkey/core/base/result';
import { expect, test } from 'vitest';
import { parseBearer } from './bearer.ts';

test.each([
  ['Bearer abc', 'abc'],
  ['bearer abc', 'abc'],
  ['BEARER  abc', 'abc'],
  ['Bearer a.b-c_d~e+f/g==', 'a.b-c_d~e+f/g=='],
])('%j carries a token', (header, token) => {
  expect(parseBearer(header)).toEqual(ok(token));
});

test.each([undefined, '', 'Basic YTpi', 'Bearerabc', 'DPoP abc'])(
  'A12: %j is no bearer token at all',
  (header) => {
    expect(parseBearer(header)).toEqual(err('missing'));
  },
);

test.each<[string | string[]]>([
  ['Bearer'],
  ['Bearer '],
  ['Bearer a b'],
  ['Bearer a, Bearer b'],
  ['Bearer a,b'],
  ['Bearer "abc"'],
  ['Bearer ab=c'],
  ['Bearer a\tb'],
  ['Bearer a\u00e9'],
  ['Bearer a\n'],
  ['Bearer {"token":1}'],
  [['Bearer a', 'Bearer b']],
])('A49: %j is malformed', (header) => {
  expect(parseBearer(header)).toEqual(err('malformed'));
});
