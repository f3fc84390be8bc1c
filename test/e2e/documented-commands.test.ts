/** The commands that the README and the guides tell a reader to run, as they stand there. */
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { killLeftovers, repositoryRoot, runCommand, startCommand } from '../support/command.ts';
import { findFreePort } from '../support/free-port.ts';

const example = 'examples/config/valetkey.yaml';
const npm = (...args: string[]) => ['run', 'valetkey', '--', ...args];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-documented-'));
});
afterEach(killLeftovers);
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each([example, 'examples/config/transports.yaml'])('A60: %s has no faults', async (file) => {
  const { code, stdout, stderr } = await runCommand('npm', npm('check', '--config', file));
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${file}: no faults\n`, stderr: '' });
});

test('A60: it is printed complete, with the defaults that it leaves out', async () => {
  const { code, stdout } = await runCommand('npm', npm('check', '--config', example, '--print'));
  expect(code).toBe(0);
  expect(stdout).toContain('consentSeconds: 2592000');
});

test.each(['serve', 'serve --workers auto'])(
  'A60 A29: %s: it works without a secret, and names its public address only',
  async (words) => {
    const port = await findFreePort();
    const config = join(folder, 'valetkey.yaml');
    await copyFile(join(repositoryRoot, example), config);
    // The one change: a port of the test's, since 8080 may be taken here.
    await writeFile(config, (await readFile(config, 'utf8')).replace('port: 8080', `port: ${port}`));
    const command = startCommand('npm', npm(...words.split(' '), '--config', config));
    const metadata = `http://127.0.0.1:${port}/.well-known/oauth-protected-resource/snippets/mcp`;
    const read = () =>
      fetch(metadata).then(
        (answer) => answer.json(),
        () => undefined,
      );
    await expect.poll(read, { timeout: 20_000 }).toMatchObject({
      resource: 'https://mcp.contoso.com/snippets/mcp',
      authorization_servers: ['https://mcp.contoso.com'],
    });
    await command.stop();
  },
);

test('A60 A51: a server of the developer stands behind the gateway too', async () => {
  const upstream = 'http://127.0.0.1:3000/mcp';
  const options = ['--upstream', upstream, '--json', '--port', '0', '--state', join(folder, 'own')];
  const command = startCommand('npm', ['start', '--', ...options]);
  const { mcp } = JSON.parse(await command.until(/\n/)) as { mcp: Record<string, string> };
  expect(Object.keys(mcp)).toEqual(['snippets', 'own']);
  const refused = await fetch(mcp['own'] ?? '', { method: 'POST' });
  expect(refused.status).toBe(401);
  expect(refused.headers.get('www-authenticate')).toContain('/.well-known/oauth-protected-resource/own/mcp');
  await command.stop();
});
