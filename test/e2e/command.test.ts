/** The command line, as people and supervisors use it. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import {
  killLeftovers,
  type RunningCommand,
  repositoryRoot,
  runCommand,
  startCommand,
} from '../support/command.ts';
import { findFreePort } from '../support/free-port.ts';
import {
  authorizeRequest,
  callMcp,
  obtainTokens,
  readMessage,
  registerClient,
} from '../support/oauth-client.ts';
import { parseReady, type Ready, targetOf, userWith } from '../support/ready-product.ts';

const node = process.execPath;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-command-'));
});
afterEach(killLeftovers);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What `npm start` runs, without npm between us and its exit code. */
function start(state: string, ...more: readonly string[]): RunningCommand {
  return startCommand(node, [
    'tools/bootstrap.mjs',
    'start',
    '--port',
    '0',
    '--state',
    join(folder, state),
    ...more,
  ]);
}

async function ready(command: RunningCommand): Promise<Ready> {
  return parseReady(await command.until(/\n/));
}

/** The command itself, from its sources. */
const valetkey = (...args: readonly string[]) => [
  '--conditions=valetkey-source',
  '--disable-warning=ExperimentalWarning',
  join(repositoryRoot, 'packages/cli/src/main.ts'),
  ...args,
];

test('A31 A51 A55: `npm start -- --json` prints one line, and a whole sign-in works with nothing but that line', async () => {
  const command = startCommand('npm', [
    'start',
    '--',
    '--json',
    '--port=0',
    `--state=${join(folder, 'npm')}`,
  ]);
  const line = await ready(command);
  const target = targetOf(line);
  expect(line.issuer).toBe(line.gateway);
  expect(line.users.filter(({ roles }) => roles.length === 0)).toHaveLength(1);

  const writer = userWith(line, 'Snippets.Reader', 'Snippets.Writer');
  const { accessToken } = await obtainTokens(target, writer);
  const call = async (name: string, args: Record<string, string> = {}) =>
    readMessage(await callMcp(target.mcpUrl, accessToken, 'tools/call', { name, arguments: args }));
  expect(await call('hello_mcp')).toMatchObject({
    result: { structuredContent: { message: 'Hello I am MCPTool!' } },
  });
  await call('save_snippet', { snippetname: 'note', snippet: 'kept' });
  expect(await call('get_snippet', { snippetname: 'note' })).toMatchObject({
    result: { structuredContent: { snippet: 'kept' } },
  });

  const { tookMs } = await command.stop();
  expect(tookMs).toBeLessThan(5000);
  expect(() => parseReady(command.stdout()), 'nothing else was printed').not.toThrow();
  await expect.poll(() => isReachable(line.gateway), { timeout: 5000 }).toBe(false);
});

async function isReachable(url: string): Promise<boolean> {
  return fetch(`${url}/healthz`).then(
    () => true,
    () => false,
  );
}

test('A22 A31: SIGTERM ends it with exit code 0, whatever is connected; clients are known again after a restart', async () => {
  const command = start('restarted', '--json');
  const line = await ready(command);
  const target = targetOf(line);
  const clientId = await registerClient(target);
  const { accessToken } = await obtainTokens(target, userWith(line, 'Snippets.Reader'), { clientId });
  const stream = await openStream(target.mcpUrl, accessToken);
  const idle = await openIdleConnection(`${target.url}/healthz`);

  const { code, tookMs } = await command.stop();
  expect({ code, stderr: command.stderr() }).toEqual({ code: 0, stderr: '' });
  expect(tookMs).toBeLessThan(5000);
  await stream.ended;
  idle.destroy();

  const again = start('restarted', '--json', '--port', new URL(line.gateway).port);
  const after = targetOf(await ready(again));
  expect(after.url).toBe(target.url);
  const page = await fetch(authorizeRequest(after, clientId).url, { redirect: 'manual' });
  expect(page.headers.get('location')).toMatch(/\/consent\//);
  expect((await again.stop()).code).toBe(0);
});

/** A stream that its server never ends. */
async function openStream(mcpUrl: string, token: string): Promise<{ ended: Promise<void> }> {
  const version = '2026-07-28';
  const prefix = 'io.modelcontextprotocol/';
  const meta = {
    [`${prefix}protocolVersion`]: version,
    [`${prefix}clientInfo`]: { name: 'test', version: '1' },
    [`${prefix}clientCapabilities`]: {},
  };
  const method = 'subscriptions/listen';
  const params = { notifications: { toolsListChanged: true }, _meta: meta };
  const headers = { 'mcp-protocol-version': version, 'mcp-method': method };
  const response = await callMcp(mcpUrl, token, method, params, headers);
  const reader = response.body?.getReader();
  const first = await reader?.read();
  expect(new TextDecoder().decode(first?.value)).toContain('acknowledged');
  const drain = async () => {
    while ((await reader?.read())?.done === false);
  };
  return { ended: drain().catch(() => undefined) };
}

/** A connection that its client keeps for later. */
async function openIdleConnection(url: string): Promise<Agent> {
  const agent = new Agent({ keepAlive: true });
  await new Promise<void>((settle, reject) => {
    get(url, { agent }, (res) => res.resume().once('end', settle)).once('error', reject);
  });
  return agent;
}

test('A60: `npm start` tells a person where everything is, who can sign in, and what to paste into a client', async () => {
  const command = start('text');
  const text = await command.until(/Ctrl\+C/);
  const mcpUrl = /http:\/\/localhost:\d+\/snippets\/mcp/.exec(text)?.[0] ?? '';
  expect(text).toContain(`npx @modelcontextprotocol/inspector --transport http --server-url ${mcpUrl}`);
  expect(text).toContain(`claude mcp add --transport http snippets ${mcpUrl}`);
  const vscode = /code --add-mcp '(.*)'/.exec(text)?.[1] ?? '{}';
  expect(JSON.parse(vscode)).toEqual({ name: 'snippets', type: 'http', url: mcpUrl });
  for (const name of ['rita', 'walt', 'ada', 'gus', 'dora', 'otto', 'nora'])
    expect(text).toContain(`${name}@`);
  expect(text).toContain('Snippets.Reader, Snippets.Writer');
  expect((await fetch(mcpUrl, { method: 'POST' })).status).toBe(401);
  expect((await command.stop()).code).toBe(0);
});

test('A31: two run at once, each with its own state and store', async () => {
  const file = join(folder, 'elsewhere.db');
  const one = start('one', '--json', '--store', `sqlite:${file}`);
  const two = start('two', '--json');
  const [first, second] = await Promise.all([ready(one), ready(two)]);
  const clientId = await registerClient(targetOf(first));
  const open = (line: Ready) => fetch(authorizeRequest(targetOf(line), clientId).url, { redirect: 'manual' });
  expect((await open(first)).status).toBe(303);
  expect((await open(second)).status).toBe(400);
  expect(existsSync(file), '--store is where the state is').toBe(true);
  expect(existsSync(join(folder, 'one', 'valetkey.db'))).toBe(false);
  expect(existsSync(join(folder, 'two', 'valetkey.db'))).toBe(true);
  const ends = await Promise.all([one.stop(), two.stop()]);
  expect(ends.map(({ code }) => code)).toEqual([0, 0]);
});

const secretText = 'this-is-the-client-secret';

async function writeConfig(name: string, port: number, faults = ''): Promise<string> {
  const file = join(folder, name);
  await writeFile(
    file,
    `publicUrl: http://localhost:${port}
entra:
  tenant: 8f5c1f60-4a4e-4b57-9d0e-3a2b1c0d9e8f
  clientId: 31b2c4d6-1a2b-4c3d-8e5f-60718293a4b5
  credential: { secret: env:CLIENT_SECRET }
store: sqlite:${join(folder, `${name}.db`)}
keys: { file: ${join(folder, `${name}.keys.json`)} }
backends:
  snippets:
    path: /snippets/mcp
    upstream: http://127.0.0.1:9/mcp
    credential: { header: x-functions-key, value: env:FUNCTION_KEY }
${faults}`,
  );
  return file;
}

const env = { CLIENT_SECRET: secretText, FUNCTION_KEY: 'this-is-the-function-key' };

test('A2: `valetkey check` lists every fault at once, each with its path and remedy, and fails', async () => {
  const faults =
    'lifetimes: { accessTokenSeconds: 3600000 }\nlisten: { prot: 80 }\naudit: { stdout: perhaps }\n';
  const file = await writeConfig('faulty.yaml', 8080, faults);
  const { code, stdout, stderr } = await runCommand(node, valetkey('check', '--config', file), {
    env: { CLIENT_SECRET: secretText },
  });
  expect(code).toBe(1);
  expect(stdout).toBe('');
  for (const path of ['lifetimes.accessTokenSeconds', 'listen.prot', 'audit.stdout', 'FUNCTION_KEY'])
    expect(stderr).toContain(path);
  expect(stderr).toContain('4 faults');
  expect(stderr).not.toContain(secretText);
});

test('A15: `valetkey check --print` shows the whole configuration without a secret, as one that is read again', async () => {
  const file = await writeConfig('good.yaml', 8080);
  const { code, stdout, stderr } = await runCommand(node, valetkey('check', '--config', file, '--print'), {
    env,
  });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toContain('accessTokenSeconds: 3600');
  expect(stdout).toContain('secret: env:CLIENT_SECRET');
  for (const secret of Object.values(env)) expect(stdout + stderr).not.toContain(secret);
  const printed = join(folder, 'printed.yaml');
  await writeFile(printed, stdout);
  const again = await runCommand(node, valetkey('check', '--config', printed, '--print'), { env });
  expect(again).toMatchObject({ code: 0, stdout });
});

test.each([
  [['nonsense'], 'there is no command nonsense'],
  [['serve'], 'serve needs --config FILE'],
  [['check', '--config', '/nowhere/valetkey.yaml'], '/nowhere/valetkey.yaml'],
  [['dev', '--port', '70000'], '--port takes a number'],
  [['dev', '--prot', '1'], "Unknown option '--prot'"],
])('A2: `valetkey %s` fails with a reason and no stack', async (args, reason) => {
  const { code, stdout, stderr } = await runCommand(node, valetkey(...args));
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(reason);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test('A2: `valetkey COMMAND --help` tells that command, `--help` all, and what stands behind `--` is another program', async () => {
  const tell = async (...args: string[]) => (await runCommand(node, valetkey(...args))).stdout;
  const keys = await tell('keys', 'rotate', '--help');
  expect(keys).toMatch(/^ {2}valetkey keys list[\s\S]+\n {2}valetkey keys new\n.+\n$/);
  expect(keys).not.toContain('valetkey serve');
  expect(await tell('import', '-h')).toMatch(/^ {2}valetkey import .+\n[\s\S]+already\n$/);
  const all = await tell('--help');
  expect(all).toContain(keys);
  expect(await tell('nonsense', '--help')).toBe(all);
  const { code, stderr } = await runCommand(node, valetkey('stdio', '--', 'server', '--help'));
  expect(code).toBe(1);
  expect(stderr).toContain('--config FILE');
});

test('A12 A25: `valetkey serve` serves a configuration, audits on stdout, and ends with exit code 0 on SIGTERM', async () => {
  const port = await findFreePort();
  const command = startCommand(node, valetkey('serve', '--config', await writeConfig('serve.yaml', port)), {
    env,
  });
  await command.untilLogged(/gateway ready/);
  const refused = await fetch(`http://localhost:${port}/snippets/mcp`, { method: 'POST' });
  expect(refused.status).toBe(401);
  const records = await command.until(/access\.denied/);
  expect(JSON.parse(records.trim().split('\n').at(-1) ?? '')).toMatchObject({ event: 'access.denied' });
  const idle = await openIdleConnection(`http://localhost:${port}/healthz`);
  const { code, tookMs } = await command.stop();
  expect(code).toBe(0);
  expect(command.stderr()).toContain('"msg":"stopping"');
  expect(tookMs).toBeLessThan(5000);
  idle.destroy();
  for (const secret of Object.values(env)) expect(command.stdout() + command.stderr()).not.toContain(secret);
});

test('A2: a port that is taken is named as the reason', async () => {
  const port = await findFreePort();
  const config = await writeConfig('twice.yaml', port);
  const first = startCommand(node, valetkey('serve', '--config', config), { env });
  await first.untilLogged(/gateway ready/);
  const { code, stderr } = await runCommand(node, valetkey('serve', '--config', config), { env });
  expect(code).toBe(1);
  expect(stderr).toContain('the port is taken');
  expect(stderr).not.toMatch(/\n\s+at /);
  expect((await first.stop()).code).toBe(0);
});

test('the demo reads its configuration again when it changes', async () => {
  const command = start('changed', '--json');
  const { issuer } = await ready(command);
  const file = join(folder, 'changed', 'valetkey.yaml');
  const config = parse(await readFile(file, 'utf8')) as { backends: Record<string, object> };
  const added = { ...config.backends['snippets'], path: '/added/mcp' };
  await writeFile(file, stringify({ ...config, backends: { ...config.backends, added } }));
  const read = async () => (await fetch(`${issuer}/.well-known/oauth-protected-resource/added/mcp`)).status;
  await expect.poll(read, { timeout: 15_000 }).toBe(200);
  await command.stop();
});
