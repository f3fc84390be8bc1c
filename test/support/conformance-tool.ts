/** The official conformance tool as a command, and what it found. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface Check {
  readonly id: string;
  readonly name: string;
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO';
  readonly errorMessage?: string;
  readonly details?: unknown;
}

export interface Verdict {
  readonly exitCode: number | null;
  readonly output: string;
  /** By scenario, in the order in which the tool made them. */
  readonly scenarios: ReadonlyMap<string, readonly Check[]>;
  /** The tool's own count for each scenario: `✓ ping: 2 passed, 0 failed`. */
  readonly summary: readonly string[];
}

/** Judges the server at `url` by what one revision of the specification requires. */
export async function judgeServer(url: string, revision: string): Promise<Verdict> {
  const directory = await mkdtemp(join(tmpdir(), 'valetkey-conformance-'));
  const options = ['--url', url, '--requirements', revision, '--output-dir', directory];
  try {
    const { exitCode, output } = await run([toolPath(), 'server', ...options]);
    const summary = output.match(/^[✓✗] [\w-]+: .*$/gm) ?? [];
    return { exitCode, output, scenarios: await readScenarios(directory), summary };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function run(command: readonly string[]): Promise<Pick<Verdict, 'exitCode' | 'output'>> {
  return new Promise((resolve, reject) => {
    const tool = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [tool.stdout, tool.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    tool.once('error', reject).once('close', (exitCode) => resolve({ exitCode, output }));
  });
}

/** One directory per scenario: `server-<scenario>-<time>`. */
async function readScenarios(directory: string): Promise<Map<string, Check[]>> {
  const scenarios = new Map<string, Check[]>();
  for (const name of (await readdir(directory)).toSorted()) {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(name)?.[1] ?? name;
    // A scenario that broke off leaves none; the summary says so.
    const checks = await readFile(join(directory, name, 'checks.json'), 'utf8').catch(() => '[]');
    scenarios.set(scenario, JSON.parse(checks) as Check[]);
  }
  return scenarios;
}

/** The program, to be run by Node. */
export function toolPath(): string {
  const manifest = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json');
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Record<string, string> };
  return join(dirname(manifest), bin['conformance'] ?? '');
}
