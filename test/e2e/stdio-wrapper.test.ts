/** `valetkey stdio` as a client starts it, before a server that knows nothing of sign-in. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CONTOSO_TENANT_ID,
  createEmulator,
  DESKTOP_CLIENT_ID,
  defaultSeed,
  type Emulator,
} from '@valetkey/entra-emulator';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { launchChromium, openPersonsPage, pickAtEntra } from '../support/chromium.ts';
import { repositoryRoot, runCommand } from '../support/command.ts';
import { type LocalServer, openLocalServer } from '../support/local-server.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const walt = { username: 'walt@contoso.example', password: 'Walt-Passw0rd' };
const otto = { username: 'otto@contoso.example', password: 'Otto-Passw0rd' };
const fixture = 'test/support/wrapped-fixture.ts';
const nodeOptions = ['--conditions=valetkey-source', '--disable-warning=ExperimentalWarning'];

let browser: Browser;
let emulator: Emulator;
let folder: string;
const servers: LocalServer[] = [];

beforeAll(async () => {
  browser = await launchChromium(['--ignore-certificate-errors']);
});
afterAll(() => browser.close());
beforeEach(async () => {
  const roles = {
    appRoles: [
      { value: 'Reader', displayName: 'r' },
      { value: 'Writer', displayName: 'w' },
    ],
  };
  const assignments = [
    { username: rita.username, roles: ['Reader'] },
    { username: walt.username, roles: ['Reader', 'Writer'] },
    { username: otto.username, roles: ['Reader'] },
  ];
  const tenants = defaultSeed.tenants.map((tenant) => ({
    ...tenant,
    apps: tenant.apps.map((app) =>
      app.clientId === DESKTOP_CLIENT_ID ? { ...app, ...roles, assignments, groupClaims: true } : app,
    ),
  }));
  emulator = await createEmulator({ seed: { tenants } });
  folder = await mkdtemp(join(tmpdir(), 'valetkey-wrapper-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  await emulator.close();
  await rm(folder, { recursive: true, force: true });
});

async function writeConfig(server: object = {}): Promise<string> {
  const file = join(folder, 'stdio.yaml');
  const cloud = { authorityHost: emulator.httpsOrigin, graphHost: emulator.httpsOrigin };
  const config = {
    entra: { cloud, tenant: CONTOSO_TENANT_ID, clientId: DESKTOP_CLIENT_ID },
    signIn: { way: 'browser', tokenStore: 'memory', timeoutSeconds: 15 },
    server: {
      name: 'notes',
      enter: { anyRole: ['Reader'] },
      tools: { save: { anyRole: ['Writer'] } },
      ...server,
    },
    audit: { file: 'audit.jsonl' },
  };
  await writeFile(file, stringify(config));
  return file;
}

const command = (file: string) => [
  'packages/cli/src/main.ts',
  'stdio',
  '--config',
  file,
  '--',
  process.execPath,
  ...nodeOptions,
  fixture,
];

/** Connects; whoever is named signs in when the browser is opened. */
async function open(
  person: typeof rita | undefined,
  server: object = {},
  mode: 'legacy' | { pin: string } = 'legacy',
) {
  const file = await writeConfig(server);
  const opening = openLocalServer({
    emulator,
    command: command(file),
    client: { versionNegotiation: { mode } },
  });
  const opened = await opening;
  servers.push(opened);
  if (person !== undefined) void signInWhenAsked(opened, person);
  return opened;
}

async function signInWhenAsked(server: LocalServer, person: typeof rita): Promise<void> {
  const url = await expect
    .poll(() => server.opened(), { timeout: 20_000 })
    .not.toEqual([])
    .then(() => server.opened());
  const page = await openPersonsPage(browser);
  await page.goto(url[0] ?? '');
  await pickAtEntra(page, person);
  await page.waitForURL(/^http:\/\/localhost/);
  await page.context().close();
}

const textOf = (result: unknown) => (result as { content: { text: string }[] }).content[0]?.text ?? '';
const audit = async () =>
  (await readFile(join(folder, 'audit.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test.each([
  ['legacy', 'legacy' as const],
  ['modern', { pin: '2026-07-28' }],
])(
  'A24 A25: a person sees and calls what their roles allow, and the server learns who it is: %s',
  async (_era, mode) => {
    const server = await open(rita, {}, mode);
    const { tools } = await server.client.listTools();
    expect(tools.map(({ name }) => name).toSorted()).toEqual(['big', 'end', 'who']);
    const who = JSON.parse(textOf(await server.client.callTool({ name: 'who', arguments: {} }))) as {
      meta: Record<string, unknown>;
    };
    expect(who.meta['valetkey/identity']).toMatchObject({ username: rita.username, roles: ['Reader'] });
    expect(who.meta).not.toHaveProperty('valetkey/tokens');
    await expect(server.client.callTool({ name: 'save', arguments: {} })).rejects.toMatchObject({
      code: 403,
    });
    expect(await server.noise()).toEqual([]);
    expect(server.stderr()).toContain('no message; it is left out');
    expect(server.stderr()).not.toMatch(/rita|eyJ/i);
    await expect.poll(async () => (await audit()).length).toBe(3);
    expect(await audit()).toMatchObject([
      { event: 'mcp.call', outcome: 'success', method: 'tools/list', backend: 'notes' },
      {
        event: 'mcp.call',
        outcome: 'success',
        target: 'who',
        objectId: '10000000-0000-4000-8000-000000000001',
      },
      { event: 'access.denied', outcome: 'denied', target: 'save', reason: 'missing_role' },
    ]);
  },
);

test('A24: a role more, and the tool is there', async () => {
  const server = await open(walt);
  expect((await server.client.listTools()).tools.map(({ name }) => name)).toContain('save');
  expect(textOf(await server.client.callTool({ name: 'save', arguments: {} }))).toBe('"saved"');
});

test('A24: a group counts, also of a person who is in too many for a token; Graph is asked once', async () => {
  const ofMany = '70000000-0000-4000-8000-0000000000f0';
  const tools = { save: { anyGroup: [ofMany] }, end: { anyGroup: ['70000000-0000-4000-8000-00000000ffff'] } };
  const server = await open(otto, { tools });
  const { tools: listed } = await server.client.listTools();
  expect(listed.map(({ name }) => name).toSorted()).toEqual(['big', 'save', 'who']);
  expect(textOf(await server.client.callTool({ name: 'save', arguments: {} }))).toBe('"saved"');
  const asked = emulator.control.requestLog().filter(({ path }) => path.includes('/me/'));
  expect(asked.map(({ path }) => path)).toEqual(['/v1.0/me/checkMemberGroups']);
});

test('A24: where rules go by what the server says of its tools, what it has not said counts as writing', async () => {
  const server = await open(rita, { tools: { '*': { readOnlyUnless: { anyRole: ['Writer'] } } } });
  await expect(server.client.callTool({ name: 'who', arguments: {} })).rejects.toMatchObject({
    code: 403,
    data: { reason: 'unknown_tool' },
  });
  expect((await server.client.listTools()).tools).toEqual([]);
  await expect(server.client.callTool({ name: 'who', arguments: {} })).rejects.toMatchObject({
    data: { reason: 'missing_role' },
  });
});

test('a token is handed over where it was asked for, in `_meta`', async () => {
  const server = await open(rita, { tokens: { GRAPH_TOKEN: ['User.Read'] } });
  const who = JSON.parse(textOf(await server.client.callTool({ name: 'who', arguments: {} }))) as {
    meta: { 'valetkey/tokens': { GRAPH_TOKEN: string } };
  };
  const token = who.meta['valetkey/tokens'].GRAPH_TOKEN;
  const me = await fetch(`${emulator.httpOrigin}/v1.0/me`, { headers: { authorization: `Bearer ${token}` } });
  expect(((await me.json()) as { userPrincipalName: string }).userPrincipalName).toBe(rita.username);
});

test('identity and token by environment: the server starts when its person has signed in', async () => {
  const file = await writeConfig({ identity: 'environment', tokens: { GRAPH_TOKEN: ['User.Read'] } });
  const child = spawn(process.execPath, [...nodeOptions, ...command(file)], {
    cwd: repositoryRoot,
    env: await environment(),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  send({ id: 1, method: 'initialize', params });
  await expect
    .poll(() => readFile(join(folder, 'urls'), 'utf8').catch(() => ''), { timeout: 10_000 })
    .toMatch(/^http/);
  expect(out).toBe('');
  const page = await openPersonsPage(browser);
  await page.goto((await readFile(join(folder, 'urls'), 'utf8')).trim());
  await pickAtEntra(page, rita);
  await expect.poll(() => out, { timeout: 10_000 }).toContain('"id":1');
  send({ method: 'notifications/initialized' });
  send({ id: 2, method: 'tools/call', params: { name: 'who', arguments: {} } });
  await expect.poll(() => out, { timeout: 10_000 }).toContain('"id":2');
  expect(out).toContain('VALETKEY_PERSON_OBJECT_ID');
  expect(out).toContain('GRAPH_TOKEN');
  expect(out).not.toContain('VALETKEY_PERSON_ROLES\\":\\"Admin');
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.end();
  expect(await ended).toBe(0);
});

/** A client without our support code: what a shell would hand over, and one variable that is a lie. */
async function environment(): Promise<Record<string, string>> {
  const script = join(folder, 'xdg-open');
  await writeFile(script, `#!/bin/sh\nprintf '%s\\n' "$1" >> '${join(folder, 'urls')}'\n`, { mode: 0o755 });
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, emulator.caCertificatePem);
  return {
    PATH: `${folder}:${process.env['PATH'] ?? ''}`,
    HOME: folder,
    NODE_EXTRA_CA_CERTS: caFile,
    VALETKEY_PERSON_ROLES: 'Admin',
  };
}

test('A10: nobody signs in: a tool call is a tool error, and the server goes on', async () => {
  const file = await writeConfig();
  await writeFile(file, (await readFile(file, 'utf8')).replace('timeoutSeconds: 15', 'timeoutSeconds: 1'));
  const server = await openLocalServer({ emulator, command: command(file) });
  servers.push(server);
  const failed = await server.client.callTool({ name: 'who', arguments: {} });
  expect(failed).toMatchObject({ isError: true, content: [{ text: 'Nobody signed in in time' }] });
  await expect(server.client.ping()).resolves.toBeDefined();
});

test('a message that is too large ends the server, not the memory', async () => {
  const server = await open(rita, { maxMessageBytes: 20_000 });
  expect(textOf(await server.client.callTool({ name: 'big', arguments: { bytes: 10_000 } }))).toHaveLength(
    10_002,
  );
  await expect(server.client.callTool({ name: 'big', arguments: { bytes: 30_000 } })).rejects.toThrow();
  expect(server.stderr()).toContain('more than 20000 bytes');
});

test('the exit code of the server is ours, and what waited is answered', async () => {
  const file = await writeConfig({ enter: {}, tools: {} });
  const child = spawn(
    process.execPath,
    [...nodeOptions, ...command(file).slice(0, 5), 'sh', '-c', 'exit 7'],
    {
      cwd: repositoryRoot,
      env: await environment(),
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(7);
});

test('the end of its input ends both', async () => {
  const server = await open(undefined);
  const startedMs = performance.now();
  await server.client.close();
  expect(performance.now() - startedMs).toBeLessThan(4000);
});

test.each([
  ['no configuration', ['stdio', '--', 'true'], /--config/],
  ['no command', ['stdio', '--config', 'x.yaml'], /COMMAND/],
  ['a file that is not there', ['stdio', '--config', 'none.yaml', '--', 'true'], /cannot be read/],
])('A2: %s is told, and stdout stays empty', async (_name, args, message) => {
  const end = await runCommand(process.execPath, [...nodeOptions, 'packages/cli/src/main.ts', ...args]);
  expect(end).toMatchObject({ code: 1, stdout: '' });
  expect(end.stderr).toMatch(message);
});

test('a command that does not exist is told', async () => {
  const file = await writeConfig();
  const end = await runCommand(process.execPath, [
    ...nodeOptions,
    ...command(file).slice(0, 5),
    '/no/such/program',
  ]);
  expect(end).toMatchObject({ code: 1, stdout: '' });
  expect(end.stderr).toContain('cannot be started');
});
