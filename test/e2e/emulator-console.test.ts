/** The emulator's console as a person sees it: through Chromium, by its one-time link, in both colour schemes. */
import { createEmulator, type Emulator } from '@valetkey/entra-emulator';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium, openPersonsPage } from '../support/chromium.ts';

let emulator: Emulator;
let browser: Browser;
beforeAll(async () => {
  emulator = await createEmulator();
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  await emulator.close();
});

test('a person opens the link once, plans a fault by hand, disables somebody and resets', async () => {
  const page = await openPersonsPage(browser);
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(emulator.createConsoleLink());
  await page.waitForURL('**/emulator');

  await page.getByLabel('What').selectOption({ label: 'AADSTS code' });
  await page.getByLabel('Number').fill('53003');
  await page.getByLabel('Endpoint').selectOption('token');
  await page.getByRole('combobox', { name: 'Person' }).selectOption('rita@contoso.example');
  await page.getByRole('button', { name: 'Plan the fault' }).click();
  await page.getByRole('status').getByText('The fault is planned.').waitFor();
  expect(emulator.control.faults()).toMatchObject([{ fault: { kind: 'aadsts', code: 53003 }, times: 1 }]);

  const rita = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'Rita Reader' }) });
  await rita.getByRole('button', { name: 'Disable' }).click();
  await rita.getByText('disabled').waitFor();
  await page.getByRole('button', { name: 'Reset to seed' }).click();
  await page.getByText('Everything is as seeded.').waitFor();
  expect(emulator.control.faults()).toEqual([]);

  await page.getByRole('button', { name: 'Leave' }).click();
  await page.getByLabel('Control token').fill(emulator.controlToken);
  await page.getByRole('button', { name: 'Open the console' }).click();
  await page.getByRole('heading', { name: 'Rita Reader' }).waitFor();
  expect(problems).toEqual([]);
});

test('on a phone nothing is wider than the screen, in the dark neither', async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ viewport: { width: 360, height: 700 }, colorScheme });
    const page = await context.newPage();
    await page.goto(emulator.createConsoleLink());
    await page.waitForURL('**/emulator');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await context.close();
  }
});

test('CVE-2025-49596: a page on another port of localhost can post nothing to it, even in the browser that has the session', async () => {
  const page = await openPersonsPage(browser);
  await page.goto(emulator.createConsoleLink());
  await page.waitForURL('**/emulator');
  emulator.control.disableUser('rita@contoso.example');
  const attacker = await createEmulator();
  await page.route(`${attacker.httpOrigin}/attack`, (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<form method="post" action="${emulator.httpOrigin}/emulator/do/reset"><button>Win a prize</button></form>`,
    }),
  );
  await page.goto(`${attacker.httpOrigin}/attack`);
  const answered = page.waitForResponse('**/do/reset');
  await page.getByRole('button').click();
  expect((await answered).status()).toBe(403);
  const walled = await page.evaluate(
    `fetch(${JSON.stringify(`${emulator.httpOrigin}/emulator`)}, { credentials: 'include' }).then(() => 'read', () => 'refused')`,
  );
  expect(walled).toBe('refused');
  expect(emulator.control.tenants()[0]?.users[0]?.enabled).toBe(false);
  await attacker.close();
});
