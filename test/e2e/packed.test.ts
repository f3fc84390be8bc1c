/** The packages as npm users get them: packed, installed into an empty folder, and run from there. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { killLeftovers, repositoryRoot, runCommand, startCommand } from '../support/command.ts';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { parseReady, targetOf, userWith } from '../support/ready-product.ts';
import { listPackages } from '../../tools/packages.ts';

/** npm and the installed command both run on the Node that runs this test, whatever the machine has. */
const env = { PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-packed-'));
});
afterEach(killLeftovers);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function succeed(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await runCommand(command, args, { cwd, env });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}

test('A55: packed and installed elsewhere, `valetkey dev` carries a sign-in and a tool call', async () => {
  const typescript = join(repositoryRoot, 'node_modules/typescript/bin/tsc');
  await succeed(process.execPath, [typescript, '--build'], repositoryRoot);
  const published = listPackages().filter(({ manifest }) => manifest.private !== true);
  const workspaces = published.map(({ folder: path }) => `--workspace=${path}`);
  const quiet = ['--loglevel=error', '--no-audit', '--no-fund'];
  await succeed('npm', ['pack', ...workspaces, `--pack-destination=${folder}`, ...quiet], repositoryRoot);
  const tarballs = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  expect(tarballs).toHaveLength(published.length);

  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const files = tarballs.map((name) => `./${name}`);
  await succeed('npm', ['install', '--prefer-offline', ...quiet, ...files], folder);

  const valetkey = join(folder, 'node_modules/.bin/valetkey');
  const version = published.find(({ manifest }) => manifest.name === 'valetkey')?.manifest.version;
  expect(await succeed(valetkey, ['--version'], folder)).toBe(`${version}\n`);

  const command = startCommand(valetkey, ['dev', '--json', '--port', '0'], { cwd: folder, env });
  const line = parseReady(await command.until(/\n/));
  const target = targetOf(line);
  const { accessToken } = await obtainTokens(target, userWith(line, 'Snippets.Reader'));
  const called = await callMcp(target.mcpUrl, accessToken, 'tools/call', {
    name: 'hello_mcp',
    arguments: {},
  });
  expect(await readMessage(called)).toMatchObject({
    result: { structuredContent: { message: 'Hello I am MCPTool!' } },
  });
  expect(await readdir(folder), 'state is kept where it was started').toContain('.valetkey');
  expect((await command.stop()).code).toBe(0);
});
