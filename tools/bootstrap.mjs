/**
 * Catches: a machine that has npm and only an old Node. `npm start` and `npm test` come here first, so this file is
 * plain JavaScript for Node >= 20 and imports nothing that has to be installed. It brings node_modules to what
 * package-lock.json says, then runs the target on the Node 24 that is one of the locked packages.
 * Nothing here writes to stdout: that belongs to the target.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lockPath = join(root, '.valetkey', 'install.lock');
const minimumNode = 24;

const targets = {
  start: ['packages/cli/src/main.ts', 'dev'],
  valetkey: ['packages/cli/src/main.ts'],
  emulator: ['packages/emulator/src/main.ts'],
  example: ['tools/example.ts'],
  test: ['tools/test.ts'],
  check: ['tools/test.ts', '--quick'],
  build: ['tools/build.ts'],
  format: ['node_modules/@biomejs/biome/bin/biome', 'format', '--write'],
  generate: ['tools/generate.ts'],
};

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Whether npm's own record of what it installed agrees with package-lock.json, entry by entry. */
function isInstalled() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages ?? {};
  const found = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (!found) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const there = found[path];
    if (!there) return entry.optional === true;
    const sameBytes = !entry.integrity || !there.integrity || entry.integrity === there.integrity;
    return there.version === entry.version && sameBytes;
  });
}

/** The locked Node; else the running one, where install scripts are forbidden but Node is new enough. */
function findNode() {
  const locked = join(
    root,
    'node_modules',
    'node',
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  const version = existsSync(locked) && spawnSync(locked, ['--version'], { encoding: 'utf8' }).stdout;
  if (version && Number(version.slice(1).split('.')[0]) >= minimumNode) return locked;
  return Number(process.versions.node.split('.')[0]) >= minimumNode ? process.execPath : undefined;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Removes the lock of a process that died, unless another waiter has already put its own in that place. */
function breakLock(owner) {
  const taken = `${lockPath}.${process.pid}.stale`;
  try {
    renameSync(lockPath, taken);
    if (Number(readJson(taken)) !== owner) linkSync(taken, lockPath);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
  rmSync(taken, { force: true });
}

/** Runs `work` while no other bootstrap of this folder does; a lock left by a process that died is taken over. */
async function holdingLock(work) {
  mkdirSync(dirname(lockPath), { recursive: true });
  const mine = `${lockPath}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    for (let told = false; ; await wait(200)) {
      try {
        linkSync(mine, lockPath); // atomic, and the file holds its owner's pid from its first moment
        break;
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      const owner = Number(readJson(lockPath));
      if (owner && !isAlive(owner)) breakLock(owner);
      else if (!told) {
        console.error(`Another process (${owner}) is installing the packages; waiting for it.`);
        told = true;
      }
    }
    try {
      return work();
    } finally {
      rmSync(lockPath, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * Brings node_modules to the lock file. `npm install` and not `npm ci`: `ci` refuses a lock file that lacks another
 * platform's optional binary, and tells nobody here anything new: isInstalled judges the outcome just as strictly.
 */
function install() {
  if (isInstalled() && findNode()) return;
  // npm itself says nothing until it is done.
  console.error('Installing the packages of package-lock.json: once, and it may take some minutes …');
  // No record means an install that did not finish; what it left behind is not to be trusted.
  if (!existsSync(join(root, 'node_modules', '.package-lock.json')))
    rmSync(join(root, 'node_modules'), { recursive: true, force: true });
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const cli = process.env.npm_execpath;
  const [command, ...before] = cli ? [process.execPath, cli] : ['npm'];
  const options = { cwd: root, stdio: ['ignore', 2, 2], shell: !cli && process.platform === 'win32' };
  const { status } = spawnSync(command, [...before, ...args], options);
  if (status !== 0) throw new Error(`npm could not install the packages (exit code ${status}).`);
  if (!isInstalled())
    throw new Error('package-lock.json does not fit the package.json files: run `npm install`, commit both.');
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Runs the target in our place: its output, its exit code, and every signal passed on to it. */
function become(node, args) {
  const options = ['--conditions=valetkey-source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(node, [...options, ...args], { cwd: root, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C in a terminal reaches the whole process group: sent again, it would read as a second Ctrl-C.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  if (process.env.npm_lifecycle_event) {
    // npm passes a signal to the shell between us, and some shells die of it without a word to us.
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      child.kill('SIGTERM');
    }, 200);
  }
  child.on('error', (error) => fail(`Cannot run ${node}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

const [name = '', ...rest] = process.argv.slice(2);
const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
if (!target) fail(`Usage: node tools/bootstrap.mjs ${Object.keys(targets).join('|')} [arguments]`);
if (!isInstalled() || !findNode()) await holdingLock(install).catch((error) => fail(error.message));
const node = findNode();
if (!node)
  fail(
    `Node ${minimumNode} is needed. It comes with the packages when npm may run the install script of \`node\`.`,
  );
become(node, [join(root, target[0]), ...target.slice(1), ...rest]);
