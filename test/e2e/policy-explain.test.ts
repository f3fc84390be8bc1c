/** `valetkey policy explain`, beside a gateway that runs: for people who are signed in, and for people made up. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { killLeftovers, repositoryRoot, runCommand, startCommand } from '../support/command.ts';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { parseReady, targetOf, userWith } from '../support/ready-product.ts';

const example = 'examples/config/valetkey.yaml';
const env = { FUNCTION_KEY: 'a-function-key-for-tests-only' };
const explain = (...args: string[]) =>
  runCommand('npm', ['run', '--silent', 'valetkey', '--', 'policy', 'explain', ...args], { env });
const explainExample = (...args: string[]) => explain('--config', example, '--backend', 'snippets', ...args);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-explain-'));
});
afterEach(killLeftovers);
afterAll(() => rm(folder, { recursive: true, force: true }));

const rows = (stdout: string) =>
  (stdout.split('\n\n')[1] ?? '').split('\n').map((line) => line.split(/ {2,}/).slice(0, 2).join(': '));

test('A24 A2: what the rules say to roles: allowed ends with 0, denied with 2, with the reason', async () => {
  const reader = await explainExample('--roles', 'Snippets.Reader');
  expect({ code: reader.code, stderr: reader.stderr }).toEqual({ code: 0, stderr: '' });
  expect(rows(reader.stdout)).toEqual(
    expect.arrayContaining(['enter: allowed', 'tool save_snippet: denied', 'any other tool: allowed']),
  );
  expect(reader.stdout).toContain('needs the role Snippets.Writer');
  const saving = await explainExample('--roles', 'Snippets.Reader', '--tool', 'save_snippet');
  expect([saving.code, rows(saving.stdout)]).toEqual([
    2,
    expect.arrayContaining(['tool save_snippet: denied']),
  ]);
  const writer = await explainExample('--roles', 'Snippets.Reader,Snippets.Writer', '--tool', 'save_snippet');
  expect(writer.code).toBe(0);
  expect((await explainExample()).code, 'nobody in particular').toBe(2);
});

test('A24: as JSON it is the decision of the gateway itself', async () => {
  const { code, stdout } = await explainExample('--roles', 'Typo.Reader', '--scopes', '', '--json');
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({
    backend: 'snippets',
    principal: { roles: ['Typo.Reader'], scopes: [] },
    notes: ['no rule of snippets names the role Typo.Reader'],
    verdicts: expect.arrayContaining([
      expect.objectContaining({ rule: 'enter', allow: false, reason: 'missing_role' }),
    ]),
  });
});

test('A24: the rules of the guide are good, and mean what the guide says of them', async () => {
  const guide = await readFile(join(repositoryRoot, 'docs/guide/policy.md'), 'utf8');
  const rules = /```yaml\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
  const file = join(folder, 'guide.yaml');
  const entra = `entra:
  tenant: 8f5c1d0e-5b1f-4c2a-9d3e-2f6a7b8c9d0e
  clientId: 31b2a4c6-7d8e-4f90-a1b2-c3d4e5f60718
  credential: { managedIdentity: { clientId: 77aa88bb-99cc-40dd-8eff-001122334455 } }
publicUrl: https://mcp.contoso.com
`;
  await writeFile(file, `${entra}${rules}`);
  const ask = async (...args: string[]) => {
    const { code, stdout } = await explain('--config', file, ...args, '--json');
    const { verdicts } = JSON.parse(stdout) as {
      verdicts: { rule: string; ifReadOnly?: { allow: boolean } }[];
    };
    return [code, verdicts[0]?.rule, verdicts[0]?.ifReadOnly?.allow];
  };
  const writer = ['--roles', 'Files.Reader,Files.Writer'];
  expect(await ask('--roles', 'Files.Reader', '--tool', 'read_file')).toEqual([2, 'tool *', true]);
  expect(await ask(...writer, '--tool', 'write_file')).toEqual([0, 'tool *', true]);
  expect(await ask(...writer, '--tool', 'delete_file')).toEqual([2, 'tool delete_*', undefined]);
  expect(await ask(...writer, '--tool', 'delete_draft')).toEqual([0, 'tool delete_draft', undefined]);
  expect(await ask(...writer, '--resource', 'file:///projects/payroll/june')).toEqual([
    2,
    'resource file:///projects/payroll/*',
    undefined,
  ]);
  expect(await ask(...writer, '--resource', 'file:///etc/passwd')).toEqual([
    2,
    'any other resource',
    undefined,
  ]);
  const auditors = ['--groups', '2f1e0d3c-4b5a-4968-8776-655443322110'];
  expect(await ask(...writer, ...auditors, '--prompt', 'audit_june')).toEqual([
    0,
    'prompt audit_*',
    undefined,
  ]);
});

test.each([
  [['--backend', 'nonsense'], 'one of: snippets'],
  [['--backend', 'snippets', '--tool', 'a', '--prompt', 'b'], 'one of --tool, --prompt and --resource'],
])('A2: %s could not be said, and ends with 1', async (args, reason) => {
  const { code, stderr } = await explain('--config', example, ...args);
  expect([code, stderr]).toEqual([1, expect.stringContaining(reason)]);
});

test('A24: beside the running demo: a person who signed in is found by name, and what is said is what happens', async () => {
  const state = join(folder, 'demo');
  const command = startCommand('npm', ['start', '--', '--json', '--port=0', `--state=${state}`]);
  const ready = parseReady(await command.until(/\n/));
  const target = targetOf(ready);
  const reader = userWith(ready, 'Snippets.Reader');
  const [name = ''] = reader.username.split('@');
  const { accessToken } = await obtainTokens(target, reader);
  const ask = (...args: string[]) =>
    explain('--config', join(state, 'valetkey.yaml'), '--backend', 'snippets', ...args);

  for (const [tool, code, status] of [
    ['get_snippet', 0, 200],
    ['save_snippet', 2, 403],
  ] as const) {
    const told = await ask('--as', name, '--tool', tool);
    expect({ code: told.code, stderr: told.stderr }).toEqual({ code, stderr: '' });
    expect(told.stdout).toContain(reader.username);
    const called = await callMcp(target.mcpUrl, accessToken, 'tools/call', { name: tool, arguments: {} });
    expect(called.status).toBe(status);
  }
  const whatIf = await ask('--as', name, '--roles', 'Snippets.Writer', '--tool', 'save_snippet');
  expect(whatIf.code).toBe(0);
  const nobody = await ask('--as', 'alice');
  expect([nobody.code, nobody.stderr]).toEqual([
    1,
    expect.stringContaining('nobody of that name is signed in'),
  ]);

  for (const file of await readdir(state, { withFileTypes: true })) {
    if (!file.name.endsWith('.txt')) continue;
    expect((await stat(join(state, file.name))).mode & 0o077, file.name).toBe(0);
  }
  expect(await readFile(join(state, 'valetkey.yaml'), 'utf8')).not.toMatch(/secret~|env:/);
  await command.stop();
});
