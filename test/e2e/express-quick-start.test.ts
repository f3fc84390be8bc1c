/** The quick start of `@valetkey/express`, as it stands in the README: compiled and run. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createEmulator, type Emulator } from '@valetkey/entra-emulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { killLeftovers, repositoryRoot, runCommand, startCommand } from '../support/command.ts';
import { prepareServer } from '../support/server-environment.ts';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';

/** Below the repository, so that the imports of a reader's file are found; left out by git. */
const folder = join(repositoryRoot, '.valetkey', `express-quick-start-${process.pid}`);
let emulator: Emulator;
let code: string;

beforeAll(async () => {
  const readme = await readFile(join(repositoryRoot, 'packages/express/README.md'), 'utf8');
  code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'server.ts'), code);
  emulator = await createEmulator();
});
afterAll(async () => {
  killLeftovers();
  await emulator.close();
  await rm(folder, { recursive: true, force: true });
});

test('it is at most fifteen lines', () => {
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(15);
});

test('it compiles under the strictest rules', async () => {
  const config = { extends: '../../tsconfig.test.json', include: ['server.ts'] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const typescript = 'node_modules/typescript/bin/tsc';
  const end = await runCommand(process.execPath, [typescript, '-p', folder, '--noEmit']);
  expect(end).toMatchObject({ code: 0, stdout: '' });
});

test('A11 A24: it signs people in, and shows the tool to whoever has the role', async () => {
  const server = await prepareServer(emulator, folder);
  const command = startCommand(process.execPath, ['--conditions=valetkey-source', 'server.ts'], {
    cwd: folder,
    env: server.env,
  });
  const isUp = () =>
    fetch(`${server.url}/.well-known/oauth-authorization-server`).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(isUp, { timeout: 20_000 }).toBe(200);

  const ask = async (person: string, method: string, params = {}) => {
    const account = {
      username: `${person}@contoso.example`,
      password: `${person[0]?.toUpperCase()}${person.slice(1)}-Passw0rd`,
    };
    const { accessToken } = await obtainTokens(server, account, { scope: 'mcp.use' });
    return readMessage(await callMcp(server.mcpUrl, accessToken, method, params));
  };
  const whoAmI = { name: 'who_am_i', arguments: {} };
  expect(await ask('rita', 'tools/call', whoAmI)).toMatchObject({
    result: { content: [{ text: 'You are rita@contoso.example' }] },
  });
  expect(await ask('nora', 'tools/list')).toMatchObject({ result: { tools: [] } });
  await command.stop();
});

test('A2: what is missing is told at once, by name, and no secret with it', async () => {
  const end = await runCommand(process.execPath, ['--conditions=valetkey-source', 'server.ts'], {
    cwd: folder,
    env: { VALETKEY_CLIENT_ID: 'none', VALETKEY_CLIENT_SECRET: 'do-not-show-this' },
  });
  expect(end.code).not.toBe(0);
  for (const path of ['publicUrl', 'entra.tenant', 'entra.clientId']) expect(end.stderr).toContain(path);
  expect(end.stderr).not.toContain('do-not-show-this');
});
