/**
 * Catches: browser tests that fail, or are skipped, on a fresh machine because nothing there can open a page.
 * Root on Debian or Ubuntu gets Chromium installed; everybody else is told what to install.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Counts } from './vitest-report.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The path of an installed Chromium or Chrome; `CHROMIUM_PATH` goes before what PATH holds. */
export function findChromium(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = (environment.PATH ?? '').split(delimiter);
  const candidates = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [environment.CHROMIUM_PATH ?? '', ...candidates].find((path) => path !== '' && existsSync(path));
}

function apt(...args: string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', args, { stdio: ['ignore', 2, 2], env }).status === 0;
}

/** One passed check when a browser is there at the end, one failed with the remedy on stderr when not. */
export function ensureChromium(): Counts {
  const isRootOnDebian = process.getuid?.() === 0 && existsSync('/etc/debian_version');
  if (!findChromium() && isRootOnDebian) {
    console.error('Chromium is not installed; installing it with apt-get …');
    if (!apt('install', '-y', '-q', 'chromium') && apt('update', '-q'))
      apt('install', '-y', '-q', 'chromium');
  }
  const found = findChromium();
  if (found) console.log(found);
  else
    console.error('The browser tests need Chromium: install the package `chromium`, or set CHROMIUM_PATH.');
  return found ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}
