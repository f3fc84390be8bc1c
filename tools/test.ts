/**
 * Every check of the project, one after the other, each timed; a failure does not stop the next one. The last line
 * is always `N passed, N failed, N skipped`, where each check and each single test counts as one.
 *
 * `--quick` leaves the whole-product tests out. With CI=true a skipped test is a failure: it catches the test that
 * was skipped on somebody's machine and then never ran anywhere.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './sources.ts';
import { ensureChromium, ensureKeyring, ensurePrometheus, storeServers } from './system-packages.ts';
import { addCounts, type Counts, readVitestReport } from './vitest-report.ts';

interface Check {
  readonly name: string;
  run(): Promise<Counts> | Counts;
}

const CHECK_TIMEOUT_MS = 60 * 60_000;
const passed: Counts = { passed: 1, failed: 0, skipped: 0 };
const failed: Counts = { passed: 0, failed: 1, skipped: 0 };
const isQuick = process.argv.includes('--quick');
const isCi = process.env.CI === 'true';

/** Runs a script on this Node, its output shown as it comes. True when it ended with exit code 0. */
async function runNode(script: string, ...args: string[]): Promise<boolean> {
  const options = ['--conditions=valetkey-source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...options, join(root, script), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: CHECK_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  child.on('error', (error) => {
    console.error(error.message);
    resolve(false);
  });
  child.on('exit', (code, signal) => {
    if (signal) console.error(`${script} ended by ${signal}`);
    resolve(code === 0);
  });
  return promise;
}

const node = (name: string, script: string, ...args: string[]): Check => ({
  name,
  run: async () => ((await runNode(script, ...args)) ? passed : failed),
});

/**
 * One vitest project: its tests counted, and the run itself as one more, which fails on what no test owns.
 *
 * @param judge a script that holds a page to this run, given its report; counted as one more
 */
const vitest = (project: string, judge?: string): Check => ({
  name: `tests: ${project}`,
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'valetkey-test-'));
    const report = join(folder, 'report.json');
    try {
      const args = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
      const isGreen = await runNode('node_modules/vitest/vitest.mjs', 'run', '--project', project, ...args);
      const tests = readVitestReport(report);
      const counts = addCounts(tests, isGreen || tests.failed > 0 ? passed : failed);
      if (judge === undefined) return counts;
      return addCounts(counts, (await runNode(judge, '--report', report)) ? passed : failed);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});

const checks: readonly Check[] = [
  ...(isQuick ? [] : [{ name: 'system packages: Chromium', run: ensureChromium }]),
  ...(isQuick ? [] : [{ name: 'system packages: Secret Service', run: ensureKeyring }]),
  ...(isQuick ? [] : [{ name: 'system packages: Prometheus', run: ensurePrometheus }]),
  ...storeServers.map(({ name, run }) => ({ name: `system packages: ${name}`, run })),
  node('lock file', 'tools/lockfile.ts'),
  node('build', 'tools/build.ts'),
  node('types', 'node_modules/typescript/bin/tsc', '--project', 'tsconfig.test.json', '--noEmit'),
  node('lint', 'node_modules/oxlint/bin/oxlint', '--deny-warnings'),
  node('format', 'node_modules/@biomejs/biome/bin/biome', 'format'),
  node('rooms', 'tools/rooms.ts'),
  node('unused', 'node_modules/knip/bin/knip.js', '--no-progress'),
  node('packages', 'tools/packages.ts'),
  node('promises', 'tools/promises.ts'),
  node('fidelity', 'tools/fidelity.ts'),
  node('performance', 'tools/performance.ts'),
  node('decisions', 'tools/decisions.ts'),
  node('docs', 'tools/docs.ts'),
  vitest('unit'),
  vitest('integration'),
  ...(isQuick ? [] : [vitest('whole', 'tools/fidelity.ts')]),
];

async function runCheck(check: Check): Promise<Counts> {
  console.log(`\n── ${check.name}`);
  const startedMs = performance.now();
  const counts = await Promise.resolve()
    .then(() => check.run())
    .catch((error: unknown): Counts => {
      console.error(error);
      return failed;
    });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const verdict = counts.failed > 0 ? 'FAILED' : counts.skipped > 0 ? `ok, ${counts.skipped} skipped` : 'ok';
  console.log(`── ${check.name}: ${verdict} (${seconds} s)`);
  return counts;
}

let total: Counts = { passed: 0, failed: 0, skipped: 0 };
const unhappy: string[] = [];
for (const check of checks) {
  const counts = await runCheck(check);
  total = addCounts(total, counts);
  if (counts.failed > 0) unhappy.push(check.name);
}
if (unhappy.length > 0) console.log(`\nFailed: ${unhappy.join('; ')}`);
if (isCi && total.skipped > 0) console.log('\nSkipped tests count as a failure here (CI=true).');
process.exitCode = total.failed > 0 || (isCi && total.skipped > 0) ? 1 : 0;
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
