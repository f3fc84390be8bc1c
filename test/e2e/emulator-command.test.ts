/** `entra-emulator` as people and programs start it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createControlClient } from '@valetkey/entra-emulator/control-client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { killLeftovers, repositoryRoot, runCommand, startCommand } from '../support/command.ts';

interface Ready {
  readonly http: string;
  readonly https: string;
  readonly caFile: string;
  readonly controlToken: string;
  readonly console: string;
  readonly tenants: readonly {
    readonly tenantId: string;
    readonly domain: string;
    readonly authority: string;
    readonly apps: readonly { readonly clientId: string; readonly secrets: readonly string[] }[];
  }[];
}

const main = join(repositoryRoot, 'packages/emulator/src/main.ts');
const source = ['--conditions=valetkey-source', '--disable-warning=ExperimentalWarning', main];
const anyPort = ['--http-port', '0', '--https-port', '0'];
const token = 'a-control-token-for-this-test';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'entra-emulator-'));
});
afterEach(killLeftovers);
afterAll(() => rm(folder, { recursive: true, force: true }));

const start = (...args: string[]) =>
  startCommand(process.execPath, [...source, ...anyPort, ...args], { cwd: folder });
const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runCommand(process.execPath, [...source, ...args], { cwd: folder, env });

test('--json prints one line with everything a program needs, and SIGTERM ends it cleanly', async () => {
  const command = start('--json', '--control-token', token);
  const ready = JSON.parse(await command.until(/\n/)) as Ready;
  expect(command.stdout().trim().split('\n')).toHaveLength(1);
  expect(ready).toMatchObject({ controlToken: token, tenants: [{ domain: 'contoso.example' }, {}] });
  expect(await readFile(ready.caFile, 'utf8')).toContain('BEGIN CERTIFICATE');
  expect(await readdir(join(folder, '.entra-emulator'))).toContain('.gitignore');
  const control = createControlClient({ origin: ready.http, token });
  await control.disableUser('rita@contoso.example');
  expect((await fetch(ready.console)).status).toBe(200);
  expect(await control.requestLog()).toEqual([]);
  const ended = await command.stop();
  expect(ended).toMatchObject({ code: 0, signal: null });
  expect(ended.tookMs).toBeLessThan(2_000);
  expect(command.stderr()).toBe('');
});

test('a person reads where everything is, who may sign in, and settings to paste', async () => {
  const command = start();
  const shown = await command.until(/Stop with Ctrl\+C/);
  for (const text of [
    'rita@contoso.example',
    'Rita-Passw0rd',
    'NODE_EXTRA_CA_CERTS=',
    'MSAL Python',
    '.NET',
    '/emulator/open?key=',
  ])
    expect(shown).toContain(text);
  await command.stop();
});

test('a seed from a file: its tenant is served; a wrong one is refused with all its faults and no stack', async () => {
  const [tenantId, objectId] = [
    '11111111-2222-4333-8444-555555555555',
    '11111111-2222-4333-8444-666666666666',
  ];
  const user = { objectId, username: 'fay@fabrikam.example', password: 'Fay-Passw0rd', displayName: 'Fay' };
  const tenant = { tenantId, domain: 'fabrikam.example', displayName: 'Fabrikam', apps: [] };
  const names = { givenName: 'Fay', surname: 'Fab', hint: '' };
  const file = join(folder, 'seed.json');
  await writeFile(file, JSON.stringify({ tenants: [{ ...tenant, users: [{ ...user, ...names }] }] }));
  const command = start('--json', '--seed', file);
  const ready = JSON.parse(await command.until(/\n/)) as Ready;
  expect((await fetch(`${ready.http}/fabrikam.example/v2.0/.well-known/openid-configuration`)).status).toBe(
    200,
  );
  await command.stop();

  await writeFile(file, JSON.stringify({ tenants: [{ ...tenant, users: [user], apps: 7 }] }));
  const refused = await run([...anyPort, '--seed', file]);
  expect(refused.code).toBe(1);
  for (const path of ['$.tenants[0].users[0].givenName', '$.tenants[0].apps'])
    expect(refused.stderr).toContain(path);
  expect(refused.stderr).not.toMatch(/^\s+at /m);
});

test.each([
  ['a host that others reach', ['--host', '0.0.0.0'], {}, /loopback only/],
  ['production', [], { NODE_ENV: 'production' }, /refuses to run in production/],
  ['a token that can be guessed', ['--control-token', 'short'], {}, /16 characters/],
  ['an option nobody knows', ['--magic'], {}, /--magic/],
  ['a port that is none', ['--http-port', '70000'], {}, /0 to 65535/],
  ['a seed that is not there', ['--seed', 'nowhere.json'], {}, /nowhere\.json/],
])('it refuses %s, and says why', async (_, args, env, words) => {
  const { code, stderr, stdout } = await run([...anyPort, ...args], env);
  expect(code).toBe(1);
  expect(stderr).toMatch(words);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stdout).toBe('');
});

test('--print-seed is a seed that --seed takes; --help and --version say what they are', async () => {
  const printed = await run(['--print-seed']);
  const file = join(folder, 'printed.json');
  await writeFile(file, printed.stdout);
  const command = start('--json', '--seed', file);
  expect(await command.until(/\n/)).toContain('contoso.example');
  await command.stop();
  expect((await run(['--help'])).stdout).toContain('--ca-directory');
  expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('A60: the program of the guide runs as it stands there', async () => {
  const guide = await readFile(join(repositoryRoot, 'docs/guide/emulator.md'), 'utf8');
  const program = /```ts\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
  const args = ['--conditions=valetkey-source', '--disable-warning=ExperimentalWarning'];
  const { code, stdout, stderr } = await runCommand(process.execPath, [
    ...args,
    '--input-type=module-typescript',
    '-e',
    program,
  ]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^Bearer\n.*AADSTS7000222.*\ntrue\n$/s);
});

test('packed and installed elsewhere, `npx @valetkey/entra-emulator` serves MSAL with nothing but NODE_EXTRA_CA_CERTS', async () => {
  const env = { PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` };
  const succeed = async (command: string, args: readonly string[], cwd: string) => {
    const { code, stdout, stderr } = await runCommand(command, args, { cwd, env });
    if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
    return stdout;
  };
  const typescript = join(repositoryRoot, 'node_modules/typescript/bin/tsc');
  await succeed(process.execPath, [typescript, '--build', 'packages/emulator'], repositoryRoot);
  const quiet = ['--loglevel=error', '--no-audit', '--no-fund'];
  await succeed(
    'npm',
    ['pack', '-w', 'packages/emulator', `--pack-destination=${folder}`, ...quiet],
    repositoryRoot,
  );
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? '';
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  await succeed('npm', ['install', '--prefer-offline', ...quiet, `./${tarball}`], folder);

  const command = startCommand('npx', ['@valetkey/entra-emulator', '--json', ...anyPort], {
    cwd: folder,
    env,
  });
  const ready = JSON.parse(await command.until(/\n/)) as Ready;
  const [tenant] = ready.tenants;
  const app = tenant?.apps.find(({ secrets }) => secrets.length > 0);
  const script = `
    const { ConfidentialClientApplication } = require(${JSON.stringify(join(repositoryRoot, 'node_modules/@azure/msal-node'))});
    const auth = ${JSON.stringify({ clientId: app?.clientId, clientSecret: app?.secrets[0], authority: tenant?.authority, knownAuthorities: [new URL(ready.https).host] })};
    new ConfidentialClientApplication({ auth }).acquireTokenByClientCredential({ scopes: ['https://graph.microsoft.com/.default'] })
      .then((result) => console.log(result.tokenType), (problem) => { console.error(String(problem)); process.exitCode = 1; });`;
  const asked = await runCommand(process.execPath, ['-e', script], {
    env: { NODE_EXTRA_CA_CERTS: ready.caFile },
  });
  expect([asked.stdout, asked.stderr]).toEqual(['Bearer\n', '']);
  await command.stop();

  // The commands of the guide, as they stand there; on the ports it names.
  const shell = (line: string) => startCommand('sh', ['-c', line], { cwd: folder, env });
  const shown = startCommand('npx', ['@valetkey/entra-emulator'], { cwd: folder, env });
  expect(await shown.until(/Stop with Ctrl\+C/)).toContain('https://localhost:8481');
  await shown.stop();
  expect((await shell('npx @valetkey/entra-emulator --print-seed > seed.json').ended).code).toBe(0);
  const seeded = startCommand('npx', ['@valetkey/entra-emulator', '--seed', 'seed.json'], {
    cwd: folder,
    env,
  });
  await seeded.until(/Stop with Ctrl\+C/);
  await seeded.stop();
});
