/** The packages as npm users get them: packed, installed into an empty folder, and run from there. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createEmulator } from '@valetkey/entra-emulator';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { killLeftovers, repositoryRoot, runCommand, startCommand } from '../support/command.ts';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { prepareServer } from '../support/server-environment.ts';
import { parseReady, targetOf, userWith } from '../support/ready-product.ts';
import { listPackages } from '../../tools/packages.ts';

/** npm and the installed command both run on the Node that runs this test, whatever the machine has. */
const env = { PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` };
const quiet = ['--loglevel=error', '--no-audit', '--no-fund'];
const typescript = join(repositoryRoot, 'node_modules/typescript/bin/tsc');
const published = listPackages().filter(({ manifest }) => manifest.private !== true);
let folder: string;
let tarballs: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-packed-'));
  await succeed(process.execPath, [typescript, '--build'], repositoryRoot);
  const workspaces = published.map(({ folder: path }) => `--workspace=${path}`);
  await succeed('npm', ['pack', ...workspaces, `--pack-destination=${folder}`, ...quiet], repositoryRoot);
  tarballs = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  expect(tarballs).toHaveLength(published.length);
});
afterEach(killLeftovers);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function succeed(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await runCommand(command, args, { cwd, env });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}

/** Installs some of them into a folder where nothing was. @returns the folder. */
async function install(name: string, files: readonly string[]): Promise<string> {
  const at = join(folder, name);
  await mkdir(at);
  await writeFile(join(at, 'package.json'), '{ "private": true, "type": "module" }');
  const paths = files.map((file) => join(folder, file));
  await succeed('npm', ['install', '--prefer-offline', ...quiet, ...paths], at);
  return at;
}

/** The reader's own types of Node, and nothing of what is optional. */
async function linkFromHere(at: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const link = join(at, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(repositoryRoot, 'node_modules', name), link);
  }
}

/** Compiles as strictly as a reader may, with the declarations of all that is imported. */
async function compile(at: string, file: string): Promise<void> {
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
  };
  await writeFile(join(at, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: [file] }));
  await succeed(process.execPath, [typescript, '-p', at], at);
}

/** Of packages whose entries are not all named: what their READMEs mean for readers. */
const meantForReaders: Readonly<Record<string, RegExp>> = {
  '@valetkey/core': /./,
  '@valetkey/gateway': /^(config\/.*|world\.d\.ts)$/,
};

/** What a reader may import of an installed package: the entries that it names, and what its README shows or means. */
async function listImports(at: string, name: string): Promise<string[]> {
  const folderOf = join(at, 'node_modules', name);
  const { exports } = JSON.parse(await readFile(join(folderOf, 'package.json'), 'utf8')) as {
    readonly exports: Readonly<Record<string, unknown>>;
  };
  const named = Object.keys(exports).filter((key) => !/\*|\.json$/.test(key));
  const readme = await readFile(join(folderOf, 'README.md'), 'utf8');
  const shown = [...readme.matchAll(/from '(@?valetkey[^']*)'/g)].map(([, each = '']) => each);
  const files = await readdir(join(folderOf, 'dist'), { recursive: true });
  const below = files
    .filter((each) => each.endsWith('.d.ts') && (meantForReaders[name]?.test(each) ?? false))
    .map((each) => each.slice(0, -'.d.ts'.length));
  return [
    ...named.map((key) => `${name}${key.slice(1)}`),
    ...shown.filter((each) => each.startsWith(`${name}/`)),
    ...below.map((each) => `${name}/${each}`),
  ];
}

async function compileImports(at: string, names: readonly string[]): Promise<number> {
  const imports = new Set((await Promise.all(names.map((name) => listImports(at, name)))).flat());
  const lines = [...imports].map((each, index) => `export * as import${index} from '${each}';\n`);
  await writeFile(join(at, 'imports.ts'), lines.join(''));
  await compile(at, 'imports.ts');
  return imports.size;
}

test('A55: packed and installed elsewhere, `valetkey dev` carries a sign-in and a tool call', async () => {
  const at = await install('all', tarballs);
  const valetkey = join(at, 'node_modules/.bin/valetkey');
  const version = published.find(({ manifest }) => manifest.name === 'valetkey')?.manifest.version;
  expect(await succeed(valetkey, ['--version'], at)).toBe(`${version}\n`);

  const command = startCommand(valetkey, ['dev', '--json', '--port', '0'], { cwd: at, env });
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
  expect(await readdir(at), 'state is kept where it was started').toContain('.valetkey');
  expect((await command.stop()).code).toBe(0);

  await linkFromHere(at, ['@types/node']);
  const names = published.map(({ manifest }) => manifest.name).filter((name) => !name.includes('example'));
  expect(names).toHaveLength(6);
  expect(await compileImports(at, names), 'imports that compile, their declarations too').toBeGreaterThan(90);
}, 120_000);

test('A55: `@valetkey/express` brings neither Express nor an MCP SDK nor a database, and compiles without them; its quick start compiles and signs in', async () => {
  const names = ['core', 'gateway', 'express'];
  const own = tarballs.filter((file) => names.some((name) => file.startsWith(`valetkey-${name}-`)));
  const at = await install('express', own);
  const modules = join(at, 'node_modules');
  const installed = await readdir(modules);
  for (const name of ['express', '@modelcontextprotocol', '@opentelemetry', 'redis', 'pg'])
    expect(installed).not.toContain(name);
  const packages = await succeed('npm', ['ls', '--all', '--parseable', ...quiet], at);
  expect(packages.trim().split('\n').length, 'packages with all that they need').toBeLessThan(90);

  // The declarations need nothing of what is optional either.
  await linkFromHere(at, ['@types/node']);
  await compileImports(at, ['@valetkey/core', '@valetkey/gateway', '@valetkey/express']);

  // What the reader's own server has beside it.
  await linkFromHere(at, ['express', '@modelcontextprotocol', '@types/express']);
  const readme = await readFile(join(modules, '@valetkey/express/README.md'), 'utf8');
  await writeFile(join(at, 'server.ts'), /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '');
  await compile(at, 'server.ts');

  const emulator = await createEmulator();
  const target = await prepareServer(emulator, at);
  const start = (more: Record<string, string> = {}) =>
    startCommand(process.execPath, ['server.ts'], { cwd: at, env: { ...env, ...target.env, ...more } });
  const server = start();
  await expect
    .poll(
      () =>
        fetch(target.mcpUrl).then(
          ({ status }) => status,
          () => 0,
        ),
      { timeout: 20_000 },
    )
    .toBe(401);
  const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
  const { accessToken } = await obtainTokens(target, rita, { scope: 'mcp.use' });
  const called = await callMcp(target.mcpUrl, accessToken, 'tools/call', { name: 'who_am_i', arguments: {} });
  expect(await readMessage(called)).toMatchObject({
    result: { content: [{ text: 'You are rita@contoso.example' }] },
  });
  await server.stop();

  const withoutClient = start({ VALETKEY_STORE: 'redis://localhost:1' });
  expect(await withoutClient.ended).toMatchObject({ code: 1 });
  expect(withoutClient.stderr()).toContain('A store in Redis needs the package redis: npm install redis');
  await emulator.close();
}, 120_000);
