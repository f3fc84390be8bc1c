import { expect, test } from 'vitest';
import { browserCommand } from './open-browser.ts';

test.each([
  'file:///etc/passwd',
  'javascript:alert(1)',
  'a:$(touch x)?b',
  '-e https://host/',
  'https://host/ & calc.exe',
  'https://host/"; touch x',
  'ms-appinstaller:?source=https://host/x',
  'https://user@host/',
  '/bin/sh',
  '',
])('CVE-2025-6514: %j is not opened, and not repeated', (url) => {
  for (const platform of ['linux', 'darwin', 'win32'] as const) {
    const open = () => browserCommand(url, platform, {});
    expect(open).toThrow(TypeError);
    if (url !== '') expect(open).not.toThrow(url);
  }
});

const url = 'https://login.microsoftonline.com/t/authorize?a=1&b=$(touch%20x)|c`d`;e';

test.each([
  ['linux', 'xdg-open'],
  ['darwin', '/usr/bin/open'],
  ['win32', /System32.rundll32\.exe$/],
] as const)('CVE-2025-6514: on %s no shell reads the URL', (platform, program) => {
  const { command, args } = browserCommand(url, platform, { SystemRoot: 'C:\\Windows' });
  expect(command).toMatch(program);
  expect(args.at(-1)).toBe(new URL(url).href);
  expect([command, ...args].join(' ')).not.toMatch(/\bcmd\b|\bsh\b|powershell/);
});
