/** The quick start of `@valetkey/local`, as it stands in the README: compiled and run. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createEmulator, type Emulator } from '@valetkey/entra-emulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium, openPersonsPage, pickAtEntra } from '../support/chromium.ts';
import { repositoryRoot, runCommand } from '../support/command.ts';
import { openLocalServer } from '../support/local-server.ts';

/** Below the repository, so that the imports of a reader's file are found; left out by git. */
const folder = join(repositoryRoot, '.valetkey', `quick-start-${process.pid}`);
const file = join(folder, 'server.ts');
let emulator: Emulator;
let code: string;

beforeAll(async () => {
  const readme = await readFile(join(repositoryRoot, 'packages/local/README.md'), 'utf8');
  code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  await mkdir(folder, { recursive: true });
  await writeFile(file, code);
  emulator = await createEmulator();
});
afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true, force: true });
});

test('it is at most fifteen lines', () => {
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(15);
});

test('D4: it compiles under the strictest rules, so every name in it exists', async () => {
  // Here the package is its sources; installed, it is what was built of them.
  const include = ['server.ts', '../../packages/local/src/**/*.d.ts'];
  const config = { extends: '../../tsconfig.test.json', include };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const end = await runCommand(process.execPath, [
    'node_modules/typescript/bin/tsc',
    '-p',
    folder,
    '--noEmit',
  ]);
  expect(end).toMatchObject({ code: 0, stdout: '' });
});

test('it signs a person in and knows who it is', async () => {
  const browser = await launchChromium(['--ignore-certificate-errors']);
  const env = { VALETKEY_SIGN_IN: 'browser', VALETKEY_TOKEN_STORE: 'memory' };
  const server = await openLocalServer({ emulator, command: [file], env });
  try {
    const call = server.client.callTool({ name: 'who_am_i', arguments: {} });
    await expect.poll(() => server.opened(), { timeout: 10_000 }).toHaveLength(1);
    const page = await openPersonsPage(browser);
    await page.goto((await server.opened())[0] ?? '');
    await pickAtEntra(page, { username: 'rita@contoso.example', password: 'Rita-Passw0rd' });
    expect(await call).toMatchObject({ content: [{ text: 'You are rita@contoso.example' }] });
    await expect.poll(() => page.locator('h1').innerText()).toBe('You are signed in');
  } finally {
    await server.close();
    await browser.close();
  }
});
