/** Writes every page that is made from the code, and completes the lock file. The checks fail when one is out of date. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './sources.ts';

const writers = [
  'lockfile.ts',
  'emit-config-schema.ts',
  'emit-seed-schema.ts',
  'promises.ts',
  'fidelity.ts',
  'performance.ts',
  'rooms.ts',
];

for (const writer of writers.map((name) => join(root, 'tools', name)).filter((path) => existsSync(path))) {
  const { status } = spawnSync(process.execPath, ['--conditions=valetkey-source', writer, '--write'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
