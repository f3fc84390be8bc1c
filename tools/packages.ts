/**
 * Catches: a package that is published with its tests, without its README or licence, with an import that only the
 * workspace can satisfy, or at another version than its siblings. Needs a build.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { isTestFile, readText, root } from './sources.ts';
import { finish } from './verdict.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license?: string;
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
}
interface Package {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** The workspaces of the root package.json. */
export function listPackages(): Package[] {
  const { workspaces = [] }: Manifest = JSON.parse(readText('package.json'));
  return workspaces.map((folder) => ({ folder, manifest: JSON.parse(readText(`${folder}/package.json`)) }));
}

/** What `npm pack` would put into the package. */
function listPacked(folder: string): string[] {
  const cli = process.env.npm_execpath;
  const [command, before] = cli ? [process.execPath, [cli]] : ['npm', []];
  const args = [...before, 'pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'];
  const { stdout, stderr, status } = spawnSync(command, args, { cwd: join(root, folder), encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm pack failed in ${folder}: ${stderr}`);
  const report: unknown = JSON.parse(stdout);
  // An array up to npm 11, an object by package name from npm 12 on.
  const [first] = Object.values(report as Record<string, { files: { path: string }[] }>);
  return (first?.files ?? []).map((file) => file.path);
}

function checkPacked(folder: string, files: readonly string[]): string[] {
  const faults = ['README.md', 'LICENSE']
    .filter((name) => !files.includes(name))
    .map((name) => `has no ${name}`);
  const isExpected = /^(dist\/.+|[a-z-]+\.schema\.json|README\.md|LICENSE|package\.json)$/;
  for (const file of files) {
    if (!isExpected.test(file)) faults.push(`would ship ${file}`);
    if (isTestFile(file)) faults.push(`would ship the test ${file}`);
  }
  if (!files.some((file) => file.startsWith('dist/'))) faults.push('has no dist: npm run build');
  return faults.map((fault) => `${folder}: ${fault}`);
}

/** A published package may only lean on published ones, all at one version. */
function checkSiblings(one: Package, all: readonly Package[]): string[] {
  return all.flatMap(({ manifest }) => {
    const range = one.manifest.dependencies?.[manifest.name];
    if (range === undefined) return [];
    const faults =
      range.replace(/^\^/, '') === manifest.version
        ? []
        : [`wants ${manifest.name} ${range}, not ${manifest.version}`];
    if (manifest.private && !one.manifest.private)
      faults.push(`depends on ${manifest.name}, which is private`);
    return faults.map((fault) => `${one.folder}: ${fault}`);
  });
}

/**
 * publint's own findings. The `valetkey-source` condition leads to files that are not shipped: it serves this workspace
 * alone, and nothing outside asks for it, so that one finding is left out.
 */
async function lint({ folder }: Package): Promise<string[]> {
  const { messages, pkg } = await publint({ pkgDir: join(root, folder), strict: true, pack: 'npm' });
  return messages
    .filter((message) => message.type !== 'suggestion' && !message.path.includes('valetkey-source'))
    .map((message) => `${folder}: ${formatMessage(message, pkg, { color: false })}`);
}

async function checkPackage(one: Package, all: readonly Package[]): Promise<string[]> {
  const faults = checkSiblings(one, all);
  if (one.manifest.license !== 'MIT') faults.push(`${one.folder}: its package.json names no licence`);
  if (one.manifest.version !== all[0]?.manifest.version) faults.push(`${one.folder}: is at its own version`);
  if (one.manifest.private) return faults;
  const licence = join(one.folder, 'LICENSE');
  if (existsSync(join(root, licence)) && readText(licence) !== readText('LICENSE'))
    faults.push(`${licence} differs from LICENSE`);
  return [...faults, ...checkPacked(one.folder, listPacked(one.folder)), ...(await lint(one))];
}

if (import.meta.main) {
  const all = listPackages();
  const faults = await Promise.all(all.map((one) => checkPackage(one, all)));
  finish('packages', faults.flat());
}
