/** `valetkey funnel` on the audit of real sign-ins: as the guide gives the command. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { repositoryRoot, runCommand } from '../support/command.ts';
import { createHttpBrowser, signInOverHttp } from '../support/http-person.ts';
import { authorizeRequest, callMcp, obtainTokens, registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
let audit: string;

beforeAll(async () => {
  product = await startProduct();
  audit = `${product.directory}/audit.jsonl`;
  const { people } = product;
  const own = { gateway: product.url, emulator: product.emulator.httpOrigin };

  const busy = await registerClient(product, { client_name: 'Busy client' });
  const { accessToken } = await obtainTokens(product, people.reader, { clientId: busy });
  await callMcp(product.mcpUrl, accessToken, 'tools/list');
  await callMcp(product.mcpUrl, accessToken, 'tools/call', { name: 'list_snippets', arguments: {} });
  await obtainTokens(product, people.writer, { clientId: busy });
  await expect(obtainTokens(product, people.disabled, { clientId: busy })).rejects.toThrow();
  await expect(obtainTokens(product, people.norole, { clientId: busy })).rejects.toThrow();

  const idle = await registerClient(product, { client_name: 'Idle \u001b[31mclient' });
  const page = await createHttpBrowser().follow(authorizeRequest(product, idle).url, Object.values(own));
  await createHttpBrowser().follow(authorizeRequest(product, idle).url, Object.values(own));
  expect(page.text).toContain('name="decision"');
  const browser = createHttpBrowser();
  const asked = await browser.follow(authorizeRequest(product, idle).url, Object.values(own));
  await browser.submit(asked, { decision: 'deny' }, Object.values(own));
  const left = await signInOverHttp(createHttpBrowser(), authorizeRequest(product, idle).url, {
    person: people.reader,
    ...own,
  });
  expect(left.location).toContain('code=');
  await vi.waitFor(async () => {
    const codes = (await product.readAudit()).filter(({ reason }) => reason === 'code_issued');
    expect(codes).toHaveLength(3);
  });
});
afterAll(() => product.close());

const run = (...args: string[]) =>
  runCommand('npm', ['run', '--silent', 'valetkey', '--', 'funnel', ...args]);

test('how many began, consented, came back, got tokens and called a tool, by client, and why the others did not', async () => {
  const { code, stdout, stderr } = await run('--audit', audit);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const rows = stdout
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))
    .filter((cells) => cells.length === 7);
  expect(rows).toEqual([
    ['client', 'began', 'consented', 'back from Entra', 'signed in', 'got tokens', 'called a tool'],
    ['Busy client', '4', '4', '3', '2', '2', '1'],
    ['Idle [31mclient', '4', '1', '1', '1', '0', '0'],
    ['all', '8', '5', '4', '3', '2', '1'],
  ]);
  expect(stdout).toContain('     2  left the consent page');
  expect(stdout).toContain('     1  denied on the consent page');
  expect(stdout).toContain('     1  missing_role (after: back from Entra)');
  expect(stdout).toContain('     1  the client did not fetch its tokens');
  expect(stdout).not.toContain('\u001b');
});

test('as JSON, for a window, from standard input, and over rotated files', async () => {
  const whole = JSON.parse((await run('--audit', audit, '--json')).stdout) as Record<string, unknown>;
  expect(whole).toMatchObject({ total: { began: 8, gotTokens: 2, calledTool: 1 } });
  const twice = JSON.parse((await run('--audit', audit, '--audit', audit, '--json')).stdout) as typeof whole;
  expect(twice['total']).toEqual(whole['total']);
  const piped = await runCommand('sh', [
    '-c',
    `cd ${repositoryRoot} && cat ${audit} | npm run --silent valetkey -- funnel --audit - --since 7d --json`,
  ]);
  expect((JSON.parse(piped.stdout) as typeof whole)['total']).toEqual(whole['total']);
});

test.each([
  [['--since', '24h'], 'funnel needs --audit'],
  [['--audit', 'x', '--since', 'yesterday'], '--since takes a time such as 30m, 24h or 7d'],
  [['--audit', '/nowhere/audit.jsonl'], 'the audit cannot be read: /nowhere/audit.jsonl (ENOENT)'],
])('A2: `valetkey funnel %s` fails with a reason', async (args, reason) => {
  const { code, stderr } = await run(...args);
  expect(code).toBe(1);
  expect(stderr).toContain(reason);
  expect(stderr).not.toMatch(/\n\s+at /);
});
