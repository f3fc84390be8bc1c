import { expect, test } from 'vitest';
import { createHeaderNames } from './header-names.ts';

const findName = createHeaderNames((name) => name !== 'te');

test.each([
  ['Content-Type', 'content-type'],
  ['x_y', 'x_y'],
  ["!#$%&'*+-.^`|~9", "!#$%&'*+-.^`|~9"],
  ['A'.repeat(200), 'a'.repeat(200)],
])('%s', (written, name) => {
  expect(findName(written)).toBe(name);
  expect(findName(written), 'again').toBe(name);
});

test.each(['', ' a', 'a ', 'a b', 'a:', 'a\0', 'a\r\n', 'é', 'constructor', '__proto__', 'TE'])(
  '%j is none',
  (written) => {
    expect(findName(written)).toBeUndefined();
    expect(findName(written), 'again').toBeUndefined();
  },
);
