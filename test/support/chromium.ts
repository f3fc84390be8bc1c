/** Real people's browsers: the system's Chromium, one process per test file, a fresh profile per person. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { Person } from './product.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome'];
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--no-first-run',
];

/** @throws Error that says how to get a Chromium when there is none. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string {
  const { CHROMIUM, PATH = '' } = env;
  if (CHROMIUM !== undefined && CHROMIUM !== '') {
    if (isExecutable(CHROMIUM)) return CHROMIUM;
    throw new Error(`The environment variable CHROMIUM names ${CHROMIUM}, which is not an executable file.`);
  }
  const found = PATH.split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    `No Chromium: none of ${names.join(', ')} is on the PATH. Install one (Debian: apt-get install chromium), or name it in the environment variable CHROMIUM.`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param extraFlags such as `--host-resolver-rules=MAP vscode.dev 127.0.0.1:1234`. */
export function launchChromium(extraFlags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: [...flags, ...extraFlags] });
}

/** A person who was never here: a profile of their own, with nothing in it. */
export async function openPersonsPage(browser: Browser): Promise<Page> {
  const context = await browser.newContext();
  context.setDefaultTimeout(10_000);
  return context.newPage();
}

/** Presses Allow or Deny on the gateway's page. */
export async function decide(
  page: Page,
  decision: 'allow' | 'deny',
  options: { readonly remember?: boolean } = {},
): Promise<void> {
  await page.locator('input[name=remember]').setChecked(options.remember ?? false);
  await page.locator(`#${decision}`).click();
}

/** Types a name and a password on Entra's page. */
export async function enterAtEntra(page: Page, person: Person): Promise<void> {
  await page.locator('#i0116').fill(person.username);
  await page.locator('#i0118').fill(person.password);
  await page.locator('#idSIButton9').click();
}

/** Picks an account on Entra's page. */
export async function pickAtEntra(page: Page, person: Person): Promise<void> {
  await page.locator(`[data-username="${person.username}"]`).click();
}
