/** What the bench takes from the machine, and what is said where it is missing. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Command to the Debian package that has it. */
const packageOf: Readonly<Record<string, string>> = {
  nginx: 'nginx',
  haproxy: 'haproxy',
  wrk: 'wrk',
  cc: 'gcc libc6-dev',
  taskset: 'util-linux',
};

/** Debian keeps servers in /usr/sbin, which is not in everybody's PATH. */
const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];

/** @returns the path of a command, or undefined. */
export function findCommand(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** @returns what to do about what is missing; undefined where nothing is. */
export function describeMissing(): string | undefined {
  if (process.platform !== 'linux')
    return 'The bench needs Linux: it pins processes to cores and reads /proc.';
  const missing = Object.keys(packageOf).filter((name) => findCommand(name) === undefined);
  if (missing.length === 0) return undefined;
  const packages = missing.map((name) => packageOf[name]).join(' ');
  return `The bench needs ${missing.join(', ')}. On Debian or Ubuntu: apt-get install ${packages}`;
}

/** First line that a command says of its version. */
export function versionOf(name: string, flag: string): string {
  const { stdout, stderr } = spawnSync(findCommand(name) ?? name, [flag], { encoding: 'utf8' });
  return /\d+\.\d+[\w.-]*/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
