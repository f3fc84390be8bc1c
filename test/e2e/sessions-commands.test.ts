/** The commands of the guides on sessions and on disaster, as they stand there, on a copy of the example configuration. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { repositoryRoot, runCommand, startCommand } from '../support/command.ts';
import { findFreePort } from '../support/free-port.ts';

const example = 'examples/config/valetkey.yaml';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-commands-'));
  const config = join(folder, 'valetkey.yaml');
  await copyFile(join(repositoryRoot, example), config);
  // The one change: a port of the test's, since 8080 may be taken here.
  const port = await findFreePort();
  await writeFile(config, (await readFile(config, 'utf8')).replace('port: 8080', `port: ${port}`));
  // Keys and store are made by the first start, and by nothing else.
  const gateway = startCommand('npm', ['run', '--silent', 'valetkey', '--', 'serve', '--config', config]);
  await gateway.untilLogged(/gateway ready/);
  await gateway.stop();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const env = { FUNCTION_KEY: 'a-function-key-for-tests-only' };
const run = (...args: string[]) => {
  const config = args.includes('new') ? [] : ['--config', join(folder, 'valetkey.yaml')];
  return runCommand('npm', ['run', '--silent', 'valetkey', '--', ...args, ...config], { env });
};
const main = join(repositoryRoot, 'packages/cli/src/main.ts');
const node = ['--conditions=valetkey-source', '--disable-warning=ExperimentalWarning', main];

test.each([
  [['sessions', 'list'], /^session +person +client/],
  [['sessions', 'revoke', '--person', 'rita@contoso.com'], /0 revoked/],
  [['sessions', 'revoke', '--all'], /0 revoked/],
  [['consents', 'list'], /^person +client/],
  [['consents', 'revoke', '--person', 'rita@contoso.com'], /0 revoked/],
  [['keys', 'list'], /in use/],
])('A40 A56: `valetkey %s` is answered', async (args, expected) => {
  const { code, stdout, stderr } = await run(...args);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toMatch(expected);
});

test('A28 D59: keys are rotated by the command, not pruned too early, and a new ring is printed', async () => {
  const rotated = await run('keys', 'rotate', '--wait', '0');
  expect(rotated).toMatchObject({ code: 0 });
  const [, staged] = /^staged (\S+)$/m.exec(rotated.stdout) ?? [];
  expect(rotated.stdout).toContain(`in use ${staged}`);
  const file = JSON.parse(await readFile(join(folder, 'keys.json'), 'utf8')) as { current: string };
  expect(file.current).toBe(staged);
  const pruned = await run('keys', 'prune');
  expect(pruned.code).toBe(1);
  expect(pruned.stderr).toContain('still in use');
  expect(pruned.stderr).not.toMatch(/\n\s+at /);
  expect(JSON.parse((await run('keys', 'new')).stdout)).toMatchObject({ version: 1 });
});

test('A56: a command needs the variables of what it uses; `check` needs all', async () => {
  const text = await readFile(join(folder, 'valetkey.yaml'), 'utf8');
  const config = join(folder, 'elsewhere.yaml');
  const credential = text.replace(/^  credential: .*$/m, '  credential: { secret: env:CLIENT_SECRET }');
  const backend = credential.replace(
    /^    title: .*$/m,
    '$&\n    credential: { header: x-key, value: env:KEY }',
  );
  await writeFile(config, backend);
  const runPlain = (...args: string[]) =>
    runCommand(process.execPath, [...node, ...args, '--config', config], { env: {} });
  const commands = [
    ['sessions', 'list'],
    ['sessions', 'revoke', '--all'],
    ['consents', 'list'],
    ['keys', 'list'],
    ['migrate'],
    ['export'],
    ['policy', 'explain', '--roles', 'Snippets.Reader'],
  ];
  for (const command of commands) {
    const { code, stderr } = await runPlain(...command);
    expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: '' });
  }
  const { code, stderr } = await runPlain('check');
  expect([code, stderr]).toEqual([1, expect.stringContaining('2 faults')]);
  expect(stderr).toMatch(/Set CLIENT_SECRET[\s\S]+Set KEY /);
});

test.each([
  [['sessions', 'revoke'], 'sessions revoke needs --person'],
  [['sessions', 'nonsense'], 'sessions takes list or revoke'],
  [['consents', 'revoke'], 'consents revoke needs --person'],
  [['keys', 'rotate', '--step', 'later'], '--step takes stage or use'],
])('A2: `valetkey %s` fails with a reason', async (args, reason) => {
  const { code, stderr } = await run(...args);
  expect(code).toBe(1);
  expect(stderr).toContain(reason);
});

test('A2: where no gateway has run, no command makes new state and finds it empty: it says what is missing, and where', async () => {
  const elsewhere = join(folder, 'elsewhere');
  await mkdir(elsewhere);
  const config = join(elsewhere, 'valetkey.yaml');
  await copyFile(join(repositoryRoot, example), config);
  const commands = [
    ['sessions', 'list'],
    ['sessions', 'revoke', '--all'],
    ['consents', 'list'],
    ['keys', 'list'],
    ['keys', 'rotate'],
    ['keys', 'prune'],
    ['export'],
    ['policy', 'explain', '--as', 'rita@contoso.com'],
  ];
  for (const command of commands) {
    const { code, stdout, stderr } = await runCommand(process.execPath, [
      ...node,
      ...command,
      '--config',
      config,
    ]);
    expect({ command, code, stdout }).toEqual({ command, code: 1, stdout: '' });
    expect(stderr).toContain(`no key file ${join(elsewhere, 'keys.json')}`);
    expect(stderr).toContain(`no database ${join(elsewhere, 'valetkey.db')}`);
    expect(stderr).toContain('`valetkey serve` makes them');
    expect(await readdir(elsewhere)).toEqual(['valetkey.yaml']);
  }
});

test('A2: keys without their store are not enough, and no store is made beside them', async () => {
  const moved = join(folder, 'moved');
  await mkdir(moved);
  for (const name of ['valetkey.yaml', 'keys.json']) await copyFile(join(folder, name), join(moved, name));
  const list = [...node, 'sessions', 'list', '--config', join(moved, 'valetkey.yaml')];
  const { code, stderr } = await runCommand(process.execPath, list);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('there is no database') });
  expect((await readdir(moved)).toSorted()).toEqual(['keys.json', 'valetkey.yaml']);
});
