/** The remote example as its operator starts it, with Chromium at the sign-in and the official clients before it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmulator, type Emulator } from '@valetkey/entra-emulator';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decide, enterAtEntra, launchChromium, openPersonsPage } from '../support/chromium.ts';
import { killLeftovers, type RunningCommand, runCommand, startCommand } from '../support/command.ts';
import { prepareServer, type ServerEnvironment } from '../support/server-environment.ts';
import { type LoopbackCallback, openLoopbackCallback } from '../support/loopback-callback.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { connectSdkClient, type SdkKind } from '../support/sdk-client.ts';
import { openSseClient } from '../support/sse-client.ts';

const main = 'examples/remote-express/src/main.ts';
const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const walt = { username: 'walt@contoso.example', password: 'Walt-Passw0rd' };
const profileOf = ({ username }: typeof rita, displayName: string) => ({
  displayName,
  mail: username,
  userPrincipalName: username,
});
const ritasProfile = profileOf(rita, 'Rita Reader');
const waltsProfile = profileOf(walt, 'Walt Writer');

let browser: Browser;
let emulator: Emulator;
let callback: LoopbackCallback;
let folder: string;
let command: RunningCommand;
let server: ServerEnvironment;

beforeAll(async () => {
  browser = await launchChromium(['--ignore-certificate-errors']);
  emulator = await createEmulator();
  callback = await openLoopbackCallback();
  folder = await mkdtemp(join(tmpdir(), 'valetkey-remote-'));
  server = await prepareServer(emulator, folder);
  command = startCommand(process.execPath, ['--conditions=valetkey-source', main], {
    env: { ...server.env, LEGACY_SSE: '1' },
  });
  await command.until(/MCP server at/);
});
afterAll(async () => {
  killLeftovers();
  await browser.close();
  await callback.close();
  await emulator.close();
  await rm(folder, { recursive: true, force: true });
});

/** In Chromium: the consent page, then Entra. */
async function signInAs(person: typeof rita, url: URL): Promise<void> {
  const page = await openPersonsPage(browser);
  await page.goto(url.href);
  await decide(page, 'allow');
  await enterAtEntra(page, person);
  await page.locator('#done').waitFor();
  await page.context().close();
}

test.each<SdkKind>(['v1', 'v2 legacy', 'v2 modern'])(
  'A11 A16 A21: client SDK %s: a person signs in with Chromium and reads their own profile',
  async (kind) => {
    const { client } = await connectSdkClient({
      kind,
      mcpUrl: server.mcpUrl,
      callback,
      memory: {},
      signIn: (url) => signInAs(rita, url),
    });
    expect(await client.listTools()).toEqual(['getUserDetails']);
    const { structuredContent } = await client.callTool('getUserDetails');
    expect(structuredContent).toEqual(ritasProfile);
    await client.close();
  },
);

test('A21 D14: two people at once each get only their own', async () => {
  const connect = (person: typeof rita) =>
    connectSdkClient({
      kind: 'v2 modern',
      mcpUrl: server.mcpUrl,
      callback,
      memory: {},
      signIn: (url) => signInAs(person, url),
    });
  const [one, other] = [await connect(rita), await connect(walt)];
  const calls = Array.from({ length: 10 }, () => [one, other]).flat();
  const answers = await Promise.all(calls.map(({ client }) => client.callTool('getUserDetails')));
  for (const [index, { structuredContent }] of answers.entries())
    expect(structuredContent).toEqual(index % 2 === 0 ? ritasProfile : waltsProfile);
  await one.client.close();
  await other.client.close();
});

test('the older pair of addresses brings the same', async () => {
  const resource = `${server.url}/sse`;
  const { accessToken } = await obtainTokens(server, walt, { scope: 'profile.read', resource });
  const stream = await openSseClient(resource, accessToken);
  await stream.request('initialize', {
    protocolVersion: '2024-11-05',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  });
  const answer = await stream.request('tools/call', { name: 'getUserDetails', arguments: {} });
  expect(answer).toMatchObject({ result: { structuredContent: waltsProfile } });
  stream.close();
});

test('D3 A14: what is asked of a client is a scope of this server; what of Entra comes with it is said on the page', async () => {
  const metadata = await fetch(`${server.url}/.well-known/oauth-protected-resource/mcp`);
  expect(await metadata.json()).toMatchObject({ scopes_supported: ['profile.read'] });
});

test("A26 D9: Graph's trouble is a tool error in our words", async () => {
  const { accessToken } = await obtainTokens(
    server,
    { username: 'ada@contoso.example', password: 'Ada-Passw0rd' },
    { scope: 'profile.read' },
  );
  emulator.control.setFault({ endpoint: 'graph' }, { kind: 'status', status: 503 });
  const answer = await fetch(server.mcpUrl, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'getUserDetails', arguments: {} },
    }),
  });
  const text = await answer.text();
  expect(text).toContain('"isError":true');
  expect(text).toContain('Microsoft Graph is not available: try again later');
  emulator.control.clearFaults();
});

test('A15 D13 D23 D27 D43: neither a token nor a name in what it wrote, and no file that others read', async () => {
  const files = ['valetkey.db', 'audit.jsonl', 'keys.json'];
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'latin1')));
  for (const text of [...texts, command.stdout(), command.stderr()]) {
    expect(text).not.toMatch(/eyJ[\w-]{20}/);
    expect(text).not.toContain('Rita Reader');
    expect(text).not.toContain(rita.username);
  }
});

test('A2: without its settings it does not start, and says what is missing', async () => {
  const end = await runCommand(process.execPath, ['--conditions=valetkey-source', main]);
  expect(end.code).toBe(2);
  for (const path of ['publicUrl', 'entra.tenant', 'entra.clientId', 'entra.credential'])
    expect(end.stderr).toContain(path);
});

test('A22: it stops when it is asked to', async () => {
  expect(await command.stop()).toMatchObject({ code: 0 });
});
