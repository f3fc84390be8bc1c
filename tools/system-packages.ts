/**
 * Catches: tests that fail, or are skipped, on a fresh machine because nothing there can open a page or keep a store.
 * Root on Debian or Ubuntu gets Chromium, Redis, PostgreSQL and Prometheus installed; everybody else is told what to install.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Counts } from './vitest-report.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function findProgram(wanted: readonly string[], environment: NodeJS.ProcessEnv): string | undefined {
  const folders = (environment.PATH ?? '').split(delimiter);
  return wanted
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

/** The path of an installed Chromium or Chrome; `CHROMIUM_PATH` goes before what PATH holds. */
export function findChromium(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const given = environment.CHROMIUM_PATH ?? '';
  return given !== '' && existsSync(given) ? given : findProgram(names, environment);
}

/** Debian keeps the servers of each PostgreSQL version in a folder of their own, outside of PATH. */
function findPostgres(): string | undefined {
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base) ? readdirSync(base) : [];
  const debian = versions
    .map((version) => join(base, version, 'bin', 'initdb'))
    .find((path) => existsSync(path));
  return debian ?? findProgram(['initdb'], process.env);
}

interface Need {
  readonly what: string;
  readonly debianPackages: readonly string[];
  readonly find: () => string | undefined;
  readonly remedy: string;
}

const chromium: Need = {
  what: 'Chromium',
  debianPackages: ['chromium'],
  find: () => findChromium(),
  remedy: 'The browser tests need Chromium: install the package `chromium`, or set CHROMIUM_PATH.',
};

const stores: readonly Need[] = [
  {
    what: 'Redis',
    debianPackages: ['redis-server'],
    find: () => findProgram(['redis-server'], { PATH: `${process.env.PATH ?? ''}${delimiter}/usr/bin` }),
    remedy: 'The tests of the Redis store need redis-server: install the package `redis-server`.',
  },
  {
    what: 'PostgreSQL',
    debianPackages: ['postgresql'],
    find: findPostgres,
    remedy: 'The tests of the PostgreSQL store need its server: install the package `postgresql`.',
  },
];

const keyring: Need = {
  what: 'A Secret Service',
  debianPackages: ['gnome-keyring', 'dbus'],
  find: () =>
    findProgram(['dbus-run-session'], process.env) && findProgram(['gnome-keyring-daemon'], process.env),
  remedy: 'The tests of the keychain need the packages `gnome-keyring` and `dbus`.',
};

const prometheus: Need = {
  what: 'Prometheus',
  debianPackages: ['prometheus'],
  find: () => findProgram(['promtool'], process.env) && findProgram(['prometheus'], process.env),
  remedy: 'The tests of the metrics need Prometheus and promtool: install the package `prometheus`.',
};

function apt(...args: string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', args, { stdio: ['ignore', 2, 2], env }).status === 0;
}

/** Debian starts a server as soon as it is installed; the tests start their own, so nothing else is to run. */
function withoutStarting(work: () => void): void {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return work();
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    work();
  } finally {
    rmSync(policy, { force: true });
  }
}

/** One passed check when it is there at the end, one failed with the remedy on stderr when not. */
function ensure({ what, debianPackages, find, remedy }: Need): Counts {
  const isRootOnDebian = process.getuid?.() === 0 && existsSync('/etc/debian_version');
  if (!find() && isRootOnDebian) {
    console.error(`${what} is not installed; installing it with apt-get …`);
    const install = () => apt('install', '-y', '-q', '--no-install-recommends', ...debianPackages);
    withoutStarting(() => {
      if (!install() && apt('update', '-q')) install();
    });
  }
  const found = find();
  if (found) console.log(found);
  else console.error(remedy);
  return found ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

export const ensureChromium = (): Counts => ensure(chromium);

export const ensureKeyring = (): Counts => ensure(keyring);

export const ensurePrometheus = (): Counts => ensure(prometheus);

/** The servers that the stores are tested on. */
export const storeServers = stores.map((need) => ({ name: need.what, run: () => ensure(need) }));
