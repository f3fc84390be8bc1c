/**
 * MCP Inspector itself, as its users run it: it registers, opens the address for the person, takes the callback and
 * lists and calls tools. It is installed for this test alone, once, since it brings a hundred megabytes along.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findFreePort } from '../support/free-port.ts';
import { createHttpBrowser, signInOverHttp } from '../support/http-person.ts';
import { type Person, type Product, startProduct } from '../support/product.ts';

const version = '2.12.0';
const folder = join(import.meta.dirname, '../../node_modules/.cache/valetkey', `inspector-${version}`);
const launcher = join(folder, 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');

let product: Product;
let home: string;
beforeAll(async () => {
  [product, home] = await Promise.all([
    startProduct(),
    mkdtemp(join(tmpdir(), 'inspector-')),
    installInspector(),
  ]);
}, 180_000);
afterAll(async () => {
  await product.close();
  await rm(home, { recursive: true, force: true });
});

test('A55: MCP Inspector registers, signs in and lists the tools that a reader may call', async () => {
  const { exitCode, answer } = await inspect(product.people.reader, '--method', 'tools/list');
  expect(exitCode).toBe(0);
  const { tools } = JSON.parse(answer) as { tools: { name: string }[] };
  expect(tools.map(({ name }) => name).toSorted()).toEqual(['get_snippet', 'hello_mcp']);
});

test('A24 A55: MCP Inspector calls a tool; one that the role hides is not there for it', async () => {
  const called = await inspect(product.people.reader, '--method', 'tools/call', '--tool-name', 'hello_mcp');
  expect(called.answer).toContain('Hello I am MCPTool!');
  const saving = ['--tool-name', 'save_snippet', '--tool-arg', 'snippetname=a', 'snippet=b'];
  const refused = await inspect(product.people.reader, '--method', 'tools/call', ...saving);
  expect(refused.exitCode).not.toBe(0);
  expect(refused.errors).toContain('tool_not_found');
});

async function inspect(person: Person, ...options: string[]) {
  const port = await findFreePort();
  const callback = `http://127.0.0.1:${port}/oauth/callback`;
  const inspector = spawn(
    process.execPath,
    [
      launcher,
      '--cli',
      '--server-url',
      product.mcpUrl,
      '--transport',
      'http',
      '--callback-url',
      callback,
      ...options,
    ],
    // No PATH: it must not find a program that opens browsers.
    { env: { HOME: home, MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'memory' } },
  );
  let answer = '';
  let errors = '';
  inspector.stdout.on('data', (chunk: Buffer) => {
    answer += chunk.toString();
  });
  createInterface({ input: inspector.stderr }).on('line', (line) => {
    errors += `${line}\n`;
    const address = /(http:\/\/localhost:\d+\/authorize\?\S+)/.exec(line)?.[1];
    if (address !== undefined) void signIn(address, person);
  });
  const exitCode = await new Promise<number | null>((resolve) => {
    inspector.once('close', resolve);
  });
  return { exitCode, answer, errors };
}

async function signIn(address: string, person: Person): Promise<void> {
  const browser = createHttpBrowser();
  const place = { gateway: product.url, emulator: product.emulator.httpOrigin };
  const left = await signInOverHttp(browser, address, { person, ...place });
  if (left.location !== undefined) await browser.request(left.location);
}

async function installInspector(): Promise<void> {
  if (existsSync(launcher)) return;
  await mkdir(folder, { recursive: true });
  const npm = process.env['npm_execpath'];
  const [command, ...before] = npm === undefined ? ['npm'] : [process.execPath, npm];
  const options = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
  await promisify(execFile)(
    command ?? 'npm',
    [...before, ...options, `@modelcontextprotocol/inspector@${version}`],
    {
      cwd: dirname(folder),
    },
  );
}
