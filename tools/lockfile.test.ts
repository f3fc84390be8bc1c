import { expect, test } from 'vitest';
import { checkLock, completeLock, type Lockfile } from './lockfile.ts';

const lock: Lockfile = {
  packages: {
    'node_modules/tool': {
      version: '1.2.3',
      dev: true,
      optionalDependencies: { '@tool/linux-x64-musl': '1.2.3', '@tool/win32-arm64': '1.2.3' },
    },
    'node_modules/@tool/win32-arm64': { version: '1.2.3', optional: true },
  },
};

test('a platform that was out of reach is missed, and completed as its parent pins it', () => {
  expect(checkLock(lock)).toEqual([
    '@tool/linux-x64-musl@1.2.3, wanted by node_modules/tool, is not in package-lock.json',
  ]);
  const whole = completeLock(lock);
  expect(checkLock(whole)).toEqual([]);
  expect(Object.keys(whole.packages)[0]).toBe('node_modules/@tool/linux-x64-musl');
  expect(whole.packages['node_modules/@tool/linux-x64-musl']).toEqual({
    version: '1.2.3',
    os: ['linux'],
    cpu: ['x64'],
    libc: ['musl'],
    dev: true,
    optional: true,
  });
});

test('an address of a registry is a fault', () => {
  const named: Lockfile = {
    packages: { 'node_modules/a': { version: '1.0.0', resolved: 'https://packages.example/a.tgz' } },
  };
  expect(checkLock(named)).toEqual(['node_modules/a names the registry it came from']);
});
