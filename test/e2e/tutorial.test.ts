/** The exercises of the tutorial: the commands as they stand on its pages, with ports and folders of the test's. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createControlClient, type RemoteControl } from '@valetkey/entra-emulator/control-client';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCommands } from '../../tools/docs.ts';
import { decide, enterAtEntra, launchChromium, openPersonsPage } from '../support/chromium.ts';
import { killLeftovers, repositoryRoot, type RunningCommand, startCommand } from '../support/command.ts';
import { findFreePort } from '../support/free-port.ts';
import { type Keyring, openKeyring } from '../support/keyring.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const walt = { username: 'walt@contoso.example', password: 'Walt-Passw0rd' };
const controlToken = 'a-control-token-for-this-test';

let folder: string;
let browser: Browser;
let keyring: Keyring;
let emulator: RunningCommand;
let server: RunningCommand;
let control: RemoteControl;
let url: string;
let env: Readonly<Record<string, string>>;
const pages = new Map<string, readonly string[]>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-tutorial-'));
  browser = await launchChromium();
  keyring = await openKeyring();
  for (const page of ['1-register', '2-local', '3-remote', '4-practices']) {
    const text = await readFile(join(repositoryRoot, `docs/guide/tutorial-${page}.md`), 'utf8');
    pages.set(page, parseCommands(text));
  }
  url = `http://localhost:${await findFreePort()}`;
});
afterAll(async () => {
  // npm passes it on; killed at once, it would leave behind what it started.
  await emulator.stop();
  killLeftovers();
  await browser.close();
  await keyring.close();
  await rm(folder, { recursive: true, force: true });
});

/** Starts the command of a page that begins so. @param more arguments for what the page leaves to defaults. */
function start(page: string, beginning: string, more: readonly string[] = []): RunningCommand {
  const found = pages.get(page)?.filter((command) => command.startsWith(beginning)) ?? [];
  expect(found, `${page}: ${beginning}`).toHaveLength(1);
  const words = (found[0] ?? '')
    .replaceAll('http://localhost:3001', url)
    .replaceAll('.valetkey/remote-express', join(folder, 'remote'))
    .split(' ');
  const isVariable = (word: string) => /^[A-Z_]+=/.test(word);
  const variables = words.filter(isVariable).map((word) => word.split('=') as [string, string]);
  const [command = '', ...args] = words.filter((word) => !isVariable(word));
  return startCommand(command, [...args, ...more], { env: { ...env, ...Object.fromEntries(variables) } });
}

/** Opens what the terminal shows, allows, and signs in. */
async function signInFrom(terminal: RunningCommand, person: typeof rita): Promise<void> {
  const said = await terminal.untilLogged(/Sign in here: \S+\n/);
  const page = await openPersonsPage(browser);
  await page.goto(/Sign in here: (\S+)/.exec(said)?.[1] ?? '');
  await decide(page, 'allow');
  await enterAtEntra(page, person);
  await page.getByText('Done: go back to the terminal').waitFor();
  await page.context().close();
}

/** Types the code that the terminal shows. */
async function enterCodeFrom(terminal: RunningCommand, person: typeof rita): Promise<void> {
  const said = await terminal.untilLogged(/enter the code \w+/);
  const [, address = '', code = ''] = /open (\S+) in a browser and enter the code (\w+)/.exec(said) ?? [];
  const page = await openPersonsPage(browser);
  await page.goto(address);
  await page.locator('#otc').fill(code);
  await page.locator('#idSIButton9').click();
  await enterAtEntra(page, person);
  await page.locator('[name=confirm]').waitFor({ state: 'attached' });
  await page.locator('#idSIButton9').click();
  await page.waitForLoadState();
  await page.context().close();
}

test('A60: exercise 1: the emulator that stands for Entra, and the ids that the page names', async () => {
  const options = ['--http-port', '0', '--https-port', '0', '--ca-directory', join(folder, 'ca')];
  const more = ['--', '--json', '--control-token', controlToken, ...options];
  emulator = start('1-register', 'npm run emulator', more);
  const said = await emulator.until(/^\{.*\}\n/m);
  const ready = JSON.parse(/^\{.*\}$/m.exec(said)?.[0] ?? '') as {
    http: string;
    https: string;
    caFile: string;
  };
  control = createControlClient({ origin: ready.http, token: controlToken });
  env = {
    ...keyring.env,
    PORT: new URL(url).port,
    VALETKEY_PUBLIC_URL: url,
    VALETKEY_AUTHORITY_HOST: ready.https,
    VALETKEY_BROWSER_AUTHORITY_HOST: ready.http,
    VALETKEY_GRAPH_HOST: ready.https,
    VALETKEY_CA_FILE: ready.caFile,
    VALETKEY_CACHE_DIRECTORY: join(folder, 'local'),
    VALETKEY_STORE: `sqlite:${join(folder, 'remote', 'valetkey.db')}`,
    VALETKEY_KEY_FILE: join(folder, 'remote', 'keys.json'),
    VALETKEY_AUDIT_FILE: join(folder, 'remote', 'audit.jsonl'),
    VALETKEY_SIGN_IN: 'device-code',
  };
  const page = await readFile(join(repositoryRoot, 'docs/guide/tutorial-1-register.md'), 'utf8');
  const [tenant] = await control.tenants();
  expect(page).toContain(`\`${tenant?.tenantId}\``);
  for (const [example, uri] of [
    ['local-profile', 'http://localhost'],
    ['remote-express', 'http://localhost/auth/callback'],
  ]) {
    const values = await readFile(join(repositoryRoot, `examples/${example}/emulator.env`), 'utf8');
    const id = /VALETKEY_CLIENT_ID=(.*)/.exec(values)?.[1] ?? '';
    expect(page).toContain(`\`${id}\``);
    const app = tenant?.apps.find(({ clientId }) => clientId === id);
    expect(app?.redirectUris.map((redirect) => redirect.uri)).toContain(uri);
  }
});

test('A60 A3 A5 A6: exercise 2: the local server, with one sign-in for all the processes there are', async () => {
  const listed = start('2-local', 'npm run example -- terminal-client -- ');
  expect(await listed.ended).toMatchObject({ code: 0 });
  expect(listed.stdout()).toContain('GetUserDetailsFromGraph  Gets the details');
  expect(listed.stderr()).not.toContain('enter the code');

  const call = () => start('2-local', 'npm run example -- terminal-client --call');
  const first = call();
  await enterCodeFrom(first, rita);
  expect(await first.ended).toMatchObject({ code: 0 });
  expect(first.stdout()).toContain('"displayName":"Rita Reader"');
  const second = call();
  expect(await second.ended).toMatchObject({ code: 0 });
  expect(second.stdout()).toContain('"displayName":"Rita Reader"');
  expect(second.stderr()).not.toContain('enter the code');
});

test('A60 A11 A21: exercise 3: the remote server, from the first 401 to the profile of whoever asked', async () => {
  server = start('3-remote', 'npm run example -- remote-express');
  await server.until(/MCP server at/);

  const stranger = start('3-remote', 'npm run example -- terminal-client --trace');
  await signInFrom(stranger, rita);
  expect(await stranger.ended).toMatchObject({ code: 0 });
  expect(stranger.stdout()).toContain('getUserDetails  Gets name');
  const trace = stranger.stderr();
  expect(trace).toContain(`POST ${url}/mcp → 401\n  WWW-Authenticate: Bearer resource_metadata="${url}/`);
  for (const line of ['/.well-known/oauth-protected-resource/mcp → 200', '/register → 201', '/token → 200'])
    expect(trace).toContain(line);
  expect(trace).toContain(`POST ${url}/mcp → 200`);

  const call = start('3-remote', 'npm run example -- terminal-client --call');
  await signInFrom(call, walt);
  expect(await call.ended).toMatchObject({ code: 0 });
  expect(call.stdout()).toContain('"displayName":"Walt Writer"');
});

test('A60 A15 A26: exercise 4: the same server waits as told, writes its records, and leaves no token on the disk', async () => {
  await control.setFault({ endpoint: 'graph' }, { kind: 'throttle', retryAfterSeconds: 3 }, 1);
  const patient = start('4-practices', 'npm run example -- terminal-client --call');
  await signInFrom(patient, rita);
  const startedMs = performance.now();
  expect(await patient.ended).toMatchObject({ code: 0 });
  expect(performance.now() - startedMs).toBeGreaterThan(2_000);
  expect(patient.stdout()).toContain('"displayName":"Rita Reader"');
  expect(await control.faults()).toEqual([]);

  const funnel = start('4-practices', 'npm run valetkey -- funnel');
  expect(await funnel.ended).toMatchObject({ code: 0 });
  expect(funnel.stdout()).toContain('Terminal client');
  const search = start('4-practices', 'grep -r eyJ');
  expect(await search.ended).toMatchObject({ code: 1 });
  expect([search.stdout(), search.stderr()]).toEqual(['', '']);
  await server.stop();
});

test('A60: exercise 3: the older pair of addresses is there when it is asked for', async () => {
  const older = start('3-remote', 'LEGACY_SSE=1');
  await older.until(/MCP server at/);
  const stream = await fetch(`${url}/sse`);
  expect(stream.status).toBe(401);
  expect(stream.headers.get('www-authenticate')).toContain('/.well-known/oauth-protected-resource/sse');
  await older.stop();
});

test('A60 A22: exercise 4: without TLS it does not start, and says what to write', async () => {
  const refused = start('4-practices', 'VALETKEY_PUBLIC_URL=');
  expect(await refused.ended).toMatchObject({ code: 2 });
  expect(refused.stderr()).toMatch(/publicUrl.*https/);
});

test('A60 A8: exercise 4: a token that ended is renewed unnoticed; a session that ended is asked about', async () => {
  await control.advanceClock(7_200);
  const call = () => start('2-local', 'npm run example -- terminal-client --call');
  const late = call();
  expect(await late.ended).toMatchObject({ code: 0 });
  expect(late.stdout()).toContain('"displayName":"Rita Reader"');
  expect(late.stderr()).not.toContain('enter the code');

  await control.revokeSessions(rita.username);
  const ended = call();
  await enterCodeFrom(ended, rita);
  expect(await ended.ended).toMatchObject({ code: 0 });
});

test('A60 A19: exercise 4: the reader sees two tools, the writer three', async () => {
  const options = ['--', '--json', '--port', '0', '--state', join(folder, 'state')];
  const product = startCommand('npm', ['start', ...options]);
  const said = await product.until(/^\{.*\}\n/m);
  const { mcp } = JSON.parse(/^\{.*\}$/m.exec(said)?.[0] ?? '') as { mcp: { snippets: string } };
  for (const [person, count] of [
    [rita, 2],
    [walt, 3],
  ] as const) {
    const [documented = ''] =
      pages.get('4-practices')?.filter((command) => command.includes(':8808/snippets/mcp')) ?? [];
    const words = documented.replace('http://localhost:8808/snippets/mcp', mcp.snippets).split(' ');
    const listed = startCommand(words[0] ?? '', words.slice(1));
    await signInFrom(listed, person);
    expect(await listed.ended).toMatchObject({ code: 0 });
    expect(listed.stdout().match(/^\w+ {2}/gm)).toHaveLength(count);
  }
  await product.stop();
});
