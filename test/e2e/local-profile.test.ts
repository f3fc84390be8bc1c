/** The local example as a client starts it: a process on stdin and stdout, Chromium at Entra, a real keyring. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmulator, defaultSeed, type Emulator } from '@valetkey/entra-emulator';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { enterAtEntra, launchChromium } from '../support/chromium.ts';
import { runCommand } from '../support/command.ts';
import { type Keyring, openKeyring } from '../support/keyring.ts';
import { type LocalServer, type LocalServerOptions, openLocalServer } from '../support/local-server.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const tool = { name: 'GetUserDetailsFromGraph', arguments: {} };
const profile = {
  id: '10000000-0000-4000-8000-000000000001',
  displayName: 'Rita Reader',
  userPrincipalName: rita.username,
  mail: rita.username,
  jobTitle: 'Reader',
};

let browser: Browser;
let keyring: Keyring;
let emulator: Emulator;
let state: string;
const servers: LocalServer[] = [];

beforeAll(async () => {
  browser = await launchChromium();
  keyring = await openKeyring();
});
afterAll(async () => {
  await browser.close();
  await keyring.close();
});
beforeEach(async () => {
  const conditionalAccess = [
    {
      id: '90000000-0000-4000-8000-000000000001',
      displayName: 'A second factor for sensitive data',
      contexts: ['c1' as const],
      demand: 'mfa' as const,
    },
  ];
  emulator = await createEmulator({
    seed: { tenants: defaultSeed.tenants.map((tenant) => ({ ...tenant, conditionalAccess })) },
  });
  state = await mkdtemp(join(tmpdir(), 'valetkey-state-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  await emulator.close();
  await rm(state, { recursive: true, force: true });
});

async function open(options: Partial<LocalServerOptions> = {}): Promise<LocalServer> {
  const { env, ...more } = options;
  // Named, because `auto` avoids the browser where these tests themselves run in a container.
  const common = { ...keyring.env, VALETKEY_CACHE_DIRECTORY: state, VALETKEY_SIGN_IN: 'browser' };
  const server = await openLocalServer({ emulator, env: { ...common, ...env }, ...more });
  servers.push(server);
  return server;
}

/** Rita in Chromium: from the URL that the server opened to its closing page. @returns what stands there. */
async function signInAt(url: string): Promise<string> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  try {
    const page = await context.newPage();
    await page.goto(url);
    if (await page.locator('#otc').count()) await page.locator('#idSIButton9').click();
    await enterAtEntra(page, rita);
    for (const [field, button] of [
      ['#idTxtBx_SAOTCC_OTC', '#idSubmit_SAOTCC_Continue'],
      ['[name=confirm]', '#idSIButton9'],
    ] as const) {
      if ((await page.locator(field).count()) === 0) continue;
      if (field.includes('OTC')) await page.locator(field).fill('246810');
      await page.locator(button).click();
    }
    await page.waitForLoadState();
    return await page.locator('body').innerText();
  } finally {
    await context.close();
  }
}

const nextUrl = async (server: LocalServer, index = 0) => {
  await expect.poll(async () => (await server.opened()).length, { timeout: 10_000 }).toBeGreaterThan(index);
  return (await server.opened())[index] ?? '';
};

async function findOnDisk(folder: string, texts: readonly string[]): Promise<string[]> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const file of files.filter((one) => one.isFile())) {
    const bytes = await readFile(join(file.parentPath, file.name));
    for (const text of texts) if (bytes.includes(text)) found.push(`${file.name}: ${text.slice(0, 12)}`);
  }
  return found;
}

test('A1 A3 A5 A7: the first calls open one browser; the next process is silent; the disk holds no token', async () => {
  const first = await open();
  const { tools } = await first.client.listTools();
  expect(tools.map(({ name, inputSchema }) => [name, inputSchema.properties ?? {}])).toEqual([
    [tool.name, {}],
  ]);
  const calls = Array.from({ length: 8 }, () => first.client.callTool(tool));
  expect(await signInAt(await nextUrl(first))).toContain('You are signed in');
  for (const result of await Promise.all(calls)) expect(result.structuredContent).toEqual(profile);
  expect(await first.opened()).toHaveLength(1);

  const second = await open();
  expect((await second.client.callTool(tool)).structuredContent).toEqual(profile);
  expect(await second.opened()).toEqual([]);

  const tokens = ['eyJ', 'AccessToken', 'RefreshToken', 'Rita', 'rita@', 'secret'];
  expect(await findOnDisk(state, tokens)).toEqual([]);
  expect(await findOnDisk(join(keyring.home, '.local'), ['eyJ', 'Rita', 'rita@'])).toEqual([]);
  for (const server of [first, second]) {
    expect(await server.noise()).toEqual([]);
    expect(server.stderr()).not.toMatch(/rita|eyJ|Reader/i);
  }
});

test('A8 A10: a renewed token, a session that ran out, and a sign-in that nobody finishes: the server goes on', async () => {
  const server = await open({ env: { VALETKEY_SIGN_IN_TIMEOUT_SECONDS: '6' } });
  emulator.control.setAccessTokenLifetime(60);
  const first = server.client.callTool(tool);
  await signInAt(await nextUrl(server));
  await first;
  // An access token of a minute counts as nearly over: this one is a renewed one, and nobody was asked.
  const before = emulator.control.requestLog().filter(({ path }) => path.endsWith('/token')).length;
  const again = await open();
  await again.client.callTool(tool);
  expect(emulator.control.requestLog().filter(({ path }) => path.endsWith('/token'))).toHaveLength(
    before + 1,
  );
  expect(await again.opened()).toEqual([]);

  emulator.control.revokeSessions(rita.username);
  const late = await open({ env: { VALETKEY_SIGN_IN_TIMEOUT_SECONDS: '2' } });
  const failed = await late.client.callTool(tool);
  expect(failed).toMatchObject({ isError: true, content: [{ text: 'Nobody signed in in time' }] });
  expect(new URL(await nextUrl(late)).searchParams.get('login_hint')).toBe(rita.username);
  expect((await late.client.listTools()).tools).toHaveLength(1);

  const retried = server.client.callTool(tool);
  await signInAt(await nextUrl(server, 1));
  expect((await retried).structuredContent).toEqual(profile);
});

test('A10: a call that the client cancels ends the prompt, and the next call has a new one', async () => {
  const server = await open();
  const abort = new AbortController();
  const call = server.client.callTool(tool, { signal: abort.signal });
  await nextUrl(server);
  abort.abort('changed my mind');
  await expect(call).rejects.toThrow();
  const next = server.client.callTool(tool);
  await signInAt(await nextUrl(server, 1));
  expect((await next).structuredContent).toEqual(profile);
});

test('D10: a claims challenge of Graph leads to the second factor, and then to the answer', async () => {
  const server = await open();
  const first = server.client.callTool(tool);
  await signInAt(await nextUrl(server));
  await first;
  await server.close();
  servers.splice(0);
  const claims = JSON.stringify({ access_token: { acrs: { essential: true, value: 'c1' } } });
  emulator.control.setFault({ endpoint: 'graph' }, { kind: 'aadsts', code: 50076, claims }, 1);
  const challenged = await open();
  const call = challenged.client.callTool(tool);
  await signInAt(await nextUrl(challenged));
  expect((await call).structuredContent).toEqual(profile);
});

test('A5: two processes that start at once ask once', async () => {
  const [one, two] = [await open(), await open()];
  const calls = [one.client.callTool(tool), two.client.callTool(tool)];
  await expect
    .poll(async () => (await one.opened()).length + (await two.opened()).length, { timeout: 10_000 })
    .toBe(1);
  const [url = ''] = [...(await one.opened()), ...(await two.opened())];
  await signInAt(url);
  for (const result of await Promise.all(calls)) expect(result.structuredContent).toEqual(profile);
  expect((await one.opened()).length + (await two.opened()).length).toBe(1);
});

test('A6: over SSH the device code stands on stderr', async () => {
  const server = await open({ env: { SSH_TTY: '/dev/pts/7', VALETKEY_SIGN_IN: 'auto' } });
  const call = server.client.callTool(tool);
  await expect.poll(() => server.stderr(), { timeout: 10_000 }).toContain('enter the code');
  const [, url = '', code = ''] =
    /open (\S+) in a browser and enter the code (\w+)/.exec(server.stderr()) ?? [];
  await signInAt(`${url}?otc=${code}`);
  expect((await call).structuredContent).toEqual(profile);
  expect(await server.opened()).toEqual([]);
});

test.each([
  ['legacy', 'legacy' as const],
  ['modern', { pin: '2026-07-28' }],
])('A6: a client that can show pages shows the device code: %s', async (_era, mode) => {
  const shown: unknown[] = [];
  const server = await open({
    env: { VALETKEY_SIGN_IN: 'device-code' },
    client: { versionNegotiation: { mode }, capabilities: { elicitation: { url: {} } } },
    prepare: (client) =>
      client.setRequestHandler('elicitation/create', async ({ params }) => {
        shown.push(params);
        const code = /code (\w+)/.exec(params.message)?.[1] ?? '';
        await signInAt(`${(params as { url: string }).url}?otc=${code}`);
        return { action: 'accept' };
      }),
  });
  const result = await server.client.callTool(tool);
  expect(result.structuredContent).toEqual(profile);
  expect(shown).toMatchObject([{ mode: 'url', url: `${emulator.httpOrigin}/devicelogin` }]);
});

test('A10: declined in the client, the call is a tool error', async () => {
  const server = await open({
    env: { VALETKEY_SIGN_IN: 'device-code' },
    client: { capabilities: { elicitation: { url: {} } } },
    prepare: (client) => client.setRequestHandler('elicitation/create', async () => ({ action: 'decline' })),
  });
  const result = await server.client.callTool(tool);
  expect(result).toMatchObject({ isError: true, content: [{ text: 'The sign-in was cancelled' }] });
});

test('A7 D12: without a keychain sign-in is refused with the choices; `memory` and `file` are choices', async () => {
  const none = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' };
  const refused = await (await open({ env: none })).client.callTool(tool);
  expect(refused).toMatchObject({ isError: true });
  expect(JSON.stringify(refused.content)).toContain('choose the token store `memory`');
  expect(await readdir(state)).toEqual([]);
  for (const store of ['memory', 'file']) {
    const server = await open({ env: { ...none, VALETKEY_TOKEN_STORE: store } });
    const call = server.client.callTool(tool);
    await signInAt(await nextUrl(server));
    expect((await call).structuredContent).toEqual(profile);
    expect((await readdir(state)).length > 0).toBe(store === 'file');
  }
  expect(await findOnDisk(state, ['eyJ', 'Rita'])).toEqual([]);
});

test.each([
  [{}, /VALETKEY_CLIENT_ID: expected[^]*VALETKEY_TENANT_ID: expected/],
  [{ VALETKEY_CLIENT_ID: 'x', VALETKEY_TENANT_ID: 'contoso.com' }, /VALETKEY_CLIENT_ID: expected/],
])('A2: started with %j it says which variable, and ends', async (env, message) => {
  const end = await runCommand(
    process.execPath,
    [
      '--conditions=valetkey-source',
      '--disable-warning=ExperimentalWarning',
      'examples/local-profile/src/main.ts',
    ],
    { env },
  );
  expect(end.code).toBe(2);
  expect(end.stdout).toBe('');
  expect(end.stderr).toMatch(message);
  expect(end.stderr).not.toContain('contoso.com');
});
