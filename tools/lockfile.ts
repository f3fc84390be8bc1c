/**
 * Catches: a package-lock.json written where some platforms' binaries were out of reach. npm then leaves them out
 * of the file, and `npm ci` refuses the whole file on every machine that can see them ("Missing: … from lock file").
 * `--write` adds the missing entries with the exact version their parent pins; npm fills in the rest when it next
 * writes the file. A registry address in the file fails too: it would tie everybody to one registry.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { finish } from './verdict.ts';

interface LockEntry {
  version?: string;
  resolved?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}
export interface Lockfile {
  packages: Record<string, LockEntry>;
}

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'win32'];
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/** The optional packages that an entry pins and the file does not hold, as `[holder, name, version]`. */
export function findMissing(lock: Lockfile): [string, string, string][] {
  return Object.entries(lock.packages).flatMap(([holder, entry]) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(
        ([name]) =>
          !lock.packages[`node_modules/${name}`] && !lock.packages[`${holder}/node_modules/${name}`],
      )
      .map(([name, version]): [string, string, string] => [holder, name, version]),
  );
}

/** The lock with every missing optional package added, keys in npm's order. */
export function completeLock(lock: Lockfile): Lockfile {
  const packages = { ...lock.packages };
  for (const [holder, name, version] of findMissing(lock)) {
    const words = name.split(/[/-]/);
    const os = systems.filter((system) => words.includes(system));
    const cpu = processors.filter((processor) => words.some((word) => word === processor));
    const libc = name.includes('musl') ? ['musl'] : name.endsWith('-gnu') ? ['glibc'] : [];
    packages[`node_modules/${name}`] = {
      version,
      ...(os.length > 0 && { os }),
      ...(cpu.length > 0 && { cpu }),
      ...(packages[holder]?.dev && { dev: true }),
      ...(libc.length > 0 && { libc }),
      optional: true,
    };
  }
  return {
    ...lock,
    packages: Object.fromEntries(Object.entries(packages).toSorted(([a], [b]) => a.localeCompare(b, 'en'))),
  };
}

/** Every fault of a lock file, as a sentence. */
export function checkLock(lock: Lockfile): string[] {
  const missing = findMissing(lock).map(
    ([holder, name, version]) => `${name}@${version}, wanted by ${holder}, is not in package-lock.json`,
  );
  const addresses = Object.entries(lock.packages)
    .filter(([, entry]) => /^https?:/.test(entry.resolved ?? ''))
    .map(([name]) => `${name} names the registry it came from`);
  return [...missing, ...addresses];
}

if (import.meta.main) {
  const path = fileURLToPath(new URL('../package-lock.json', import.meta.url));
  let lock: Lockfile = JSON.parse(readFileSync(path, 'utf8'));
  if (process.argv.includes('--write')) {
    lock = completeLock(lock);
    writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
  }
  finish('lockfile', checkLock(lock), 'node tools/lockfile.ts --write completes the file');
}
