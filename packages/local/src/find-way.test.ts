import { expect, test } from 'vitest';
import { findWays } from './find-way.ts';

const both = ['broker', 'browser', 'device-code'];
const headless = ['broker', 'device-code'];

test.each([
  ['a desktop', 'linux', { DISPLAY: ':0' }, false, both],
  ['Wayland', 'linux', { WAYLAND_DISPLAY: 'wayland-0' }, false, both],
  ['no display', 'linux', {}, false, headless],
  ['a display in a container', 'linux', { DISPLAY: ':0' }, true, headless],
  ['Windows', 'win32', {}, false, both],
  ['a Mac', 'darwin', {}, false, both],
  ['a Mac over SSH', 'darwin', { SSH_TTY: '/dev/ttys1' }, false, headless],
  ['X over SSH', 'linux', { DISPLAY: 'localhost:10.0', SSH_CONNECTION: '1 2 3 4' }, false, headless],
] as const)('A6 D12: %s', (_name, platform, env, container, ways) => {
  expect(findWays('auto', { platform, env, isContainer: () => container })).toEqual(ways);
});

test('A6: a way that was chosen is the only one', () => {
  const machine = { platform: 'linux' as const, env: {}, isContainer: () => true };
  expect(findWays('browser', machine)).toEqual(['browser']);
});
