/**
 * Catches: a `dist` that still holds what was deleted from `src`. tsc only ever adds, and `npm pack` ships what it
 * finds; so a build starts from nothing.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { listPackages } from './packages.ts';
import { root } from './sources.ts';

for (const { folder } of listPackages()) {
  rmSync(join(root, folder, 'dist'), { recursive: true, force: true });
  rmSync(join(root, folder, 'tsconfig.tsbuildinfo'), { force: true });
}
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '--build'], { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;
