import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { root } from './sources.ts';

let at: string;
beforeEach(() => {
  at = mkdtempSync(join(tmpdir(), 'valetkey-bootstrap-'));
  put('package-lock.json', lock('1.0.0'));
  put('npm.mjs', fakeNpm);
  mkdirSync(join(at, 'tools'));
  cpSync(join(root, 'tools/bootstrap.mjs'), join(at, 'tools/bootstrap.mjs'));
});
afterEach(() => rmSync(at, { recursive: true, force: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(at, path)), { recursive: true });
  writeFileSync(join(at, path), text);
}
const lock = (version: string) => JSON.stringify({ packages: { '': {}, 'node_modules/one': { version } } });

/** Stands in for npm: notes that it ran, talks on stdout as npm does, and installs by copying the lock file. */
const fakeNpm = `
import { appendFileSync, copyFileSync, mkdirSync, existsSync, symlinkSync } from 'node:fs';
appendFileSync('npm-ran', process.argv.slice(2).join(' ') + '\\n');
console.log('added 1 package');
if (existsSync('npm-fails')) process.exit(7);
mkdirSync('node_modules/node/bin', { recursive: true });
if (!existsSync('node_modules/node/bin/node')) symlinkSync(process.execPath, 'node_modules/node/bin/node');
if (!existsSync('npm-installs-nothing')) copyFileSync('package-lock.json', 'node_modules/.package-lock.json');
`;

function start(...args: string[]) {
  const env = { ...process.env, npm_execpath: join(at, 'npm.mjs') };
  const child = spawn(process.execPath, [join(at, 'tools/bootstrap.mjs'), ...args], { cwd: tmpdir(), env });
  const seen = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (seen.stdout += chunk));
  child.stderr.on('data', (chunk: Buffer) => (seen.stderr += chunk));
  const ended = once(child, 'close').then(([code]) => ({ ...seen, code: code as number }));
  return { child, ended };
}
const installs = () =>
  existsSync(join(at, 'npm-ran')) ? readFileSync(join(at, 'npm-ran'), 'utf8').split('\n').length - 1 : 0;
const target = (text: string) => put('tools/test.ts', text);

test('installs once, says so on stderr only, and passes arguments and exit code', async () => {
  target('console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 5;');
  const first = await start('test', '--json', '--port', '0').ended;
  expect(first).toMatchObject({ stdout: '["--json","--port","0"]\n', code: 5 });
  // npm is silent for minutes: what it is busy with is said before it runs.
  expect(first.stderr).toMatch(/^Installing the packages .+ minutes …\nadded 1 package\n$/);
  const second = await start('test').ended;
  expect(second).toMatchObject({ stdout: '[]\n', stderr: '', code: 5 });
  expect(installs()).toBe(1);
});

test('a lock file that changed is installed again', async () => {
  target('');
  await start('test').ended;
  put('package-lock.json', lock('2.0.0'));
  expect((await start('test').ended).code).toBe(0);
  expect(installs()).toBe(2);
});

test('several at once: one installs, the others wait', async () => {
  target('');
  const all = await Promise.all([1, 2, 3, 4].map(() => start('test').ended));
  expect(all.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  expect(installs()).toBe(1);
});

test('the lock of a process that died is taken over', async () => {
  target('');
  const gone = spawn(process.execPath, ['--version']);
  await once(gone, 'close');
  put('.valetkey/install.lock', String(gone.pid));
  expect((await start('test').ended).code).toBe(0);
  expect(installs()).toBe(1);
});

test('a failing install stops with a message, and the next start tries again', async () => {
  target('console.log("ran")');
  put('npm-fails', '');
  const outcome = await start('test').ended;
  expect(outcome).toMatchObject({ stdout: '', code: 1 });
  expect(outcome.stderr).toContain('exit code 7');
  rmSync(join(at, 'npm-fails'));
  expect((await start('test').ended).stdout).toBe('ran\n');
});

test('an install that does not bring what the lock file says is not believed', async () => {
  target('console.log("ran")');
  put('npm-installs-nothing', '');
  const outcome = await start('test').ended;
  expect(outcome).toMatchObject({ stdout: '', code: 1 });
  expect(outcome.stderr).toContain('package-lock.json does not fit');
});

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  '%s reaches the target, which ends in its own way',
  async (signal) => {
    target(`process.on('${signal}', () => process.exit(9)); setInterval(() => {}, 1000); console.log('up');`);
    const { child, ended } = start('test');
    await once(child.stdout, 'data');
    child.kill(signal);
    expect((await ended).code).toBe(9);
  },
);

test('npm run: when the shell between npm and us dies of a signal, the target is told to end', async () => {
  const script = `process.on('SIGTERM', () => { console.log('ended'); process.exit(0); });
    setInterval(() => {}, 1000); console.log('up');`;
  target(script);
  const env = { ...process.env, npm_execpath: join(at, 'npm.mjs'), npm_lifecycle_event: 'test' };
  const command = `"${process.execPath}" "${join(at, 'tools/bootstrap.mjs')}" test; true`;
  const shell = spawn('sh', ['-c', command], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const seen: string[] = [];
  shell.stdout.on('data', (chunk: Buffer) => seen.push(String(chunk)));
  await once(shell.stdout, 'data');
  shell.kill('SIGTERM');
  await once(shell.stdout, 'close');
  expect(seen.join('')).toBe('up\nended\n');
});

test('a target that a signal ended gives 128 and its number', async () => {
  target("process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);");
  expect((await start('test').ended).code).toBe(137);
});

test('a target nobody knows is refused before anything is installed', async () => {
  const outcome = await start('constructor').ended;
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain('Usage: node tools/bootstrap.mjs start|');
  expect(installs()).toBe(0);
});

test('a locked Node that does not run is replaced by the running one', async () => {
  target('console.log("ran")');
  put('node_modules/.package-lock.json', lock('1.0.0'));
  mkdirSync(join(at, 'node_modules/node/bin'), { recursive: true });
  symlinkSync('/nowhere', join(at, 'node_modules/node/bin/node'));
  expect((await start('test').ended).stdout).toBe('ran\n');
});

test('every npm script goes through here, to a target that exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const source = readFileSync(join(root, 'tools/bootstrap.mjs'), 'utf8');
  for (const [name, script] of Object.entries(scripts)) {
    expect(script).toBe(`node tools/bootstrap.mjs ${name}`);
    const path = new RegExp(`^ {2}${name}: \\['([^']+)'`, 'm').exec(source)?.[1];
    expect(path, name).toBeDefined();
    expect(existsSync(join(root, path ?? '')), path).toBe(true);
  }
});
