#!/usr/bin/env node
/** The `entra-emulator` command: arguments in, an emulator out, until it is asked to stop. */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type CommandLine, parseCommandLine, USAGE, UsageFault } from './command-line.ts';
import { createEmulator, defaultSeed, type Emulator } from './emulator.ts';
import { describeReady, readyOf } from './ready-text.ts';
import { readSeedFile } from './seed-file.ts';

async function main(args: readonly string[]): Promise<void> {
  const line = parseCommandLine(args, process.env);
  if (line.task === 'help') process.stdout.write(USAGE);
  else if (line.task === 'version') process.stdout.write(`${readVersion()}\n`);
  else if (line.task === 'printSeed') process.stdout.write(`${JSON.stringify(defaultSeed, null, 2)}\n`);
  else await serve(line);
}

async function serve(line: CommandLine): Promise<void> {
  const stopped = untilStopped();
  const caDirectory = resolve(line.caDirectory);
  const emulator = await start(line, caDirectory);
  const ready = readyOf(emulator, join(caDirectory, 'ca.pem'));
  process.stdout.write(line.json ? `${JSON.stringify(ready)}\n` : describeReady(ready));
  await stopped;
  await emulator.close();
}

/** @throws UsageFault for what the caller can mend */
async function start(line: CommandLine, caDirectory: string): Promise<Emulator> {
  try {
    const seed = line.seedFile === undefined ? defaultSeed : await readSeedFile(line.seedFile);
    await keepOutOfGit(caDirectory);
    return await createEmulator({
      seed,
      caDirectory,
      host: line.host,
      httpPort: line.httpPort,
      httpsPort: line.httpsPort,
      ...(line.controlToken === undefined ? {} : { controlToken: line.controlToken }),
    });
  } catch (problem) {
    if (problem instanceof Error) throw new UsageFault(problem.message, { cause: problem });
    throw problem;
  }
}

/** The key of a certificate authority that a browser trusts belongs into no repository. */
async function keepOutOfGit(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(join(directory, '.gitignore'), '*\n', { flag: 'wx' }).catch(() => undefined);
}

const PARENT_LOOK_MS = 250;

/**
 * Asking again changes nothing: the signal of a whole process group arrives more than once. Under npm and npx a signal ends
 * the shell between, and nobody passes it on: a parent that is gone means the same.
 */
function untilStopped(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => done());
    const parent = process.ppid;
    if (process.env['npm_command'] === undefined) return;
    const looking = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(looking);
      done();
    }, PARENT_LOOK_MS);
    looking.unref();
  });
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

try {
  await main(process.argv.slice(2));
} catch (problem) {
  if (!(problem instanceof UsageFault)) throw problem;
  process.stderr.write(`entra-emulator: ${problem.message}\n`);
  process.exitCode = 1;
}
