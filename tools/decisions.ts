/**
 * Catches: a dependency that came in without a reason anybody wrote down. Every package that a package.json of ours
 * names must be named in the "Dependencies" line of exactly one page of docs/decisions, and nothing else may be.
 */
import { listFiles, readText } from './sources.ts';
import { finish } from './verdict.ts';

const fields = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const;
type Manifest = { readonly name: string } & Partial<Record<(typeof fields)[number], Record<string, string>>>;

const sections = ['## Why', '## Instead of', '## Cost', '## Look again when'];

/** The packages on a page's line `Dependencies: \`a\`, \`b\``; a decision that adds none says `Dependencies: none`. */
export function parseDependencies(page: string): string[] | undefined {
  const line = /^Dependencies: (.+)$/m.exec(page)?.[1];
  return line?.match(/`[^`]+`/g)?.map((name) => name.slice(1, -1)) ?? (line === 'none' ? [] : undefined);
}

export function checkDecisions(direct: ReadonlySet<string>, pages: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  const explained = new Map<string, string>();
  for (const [path, page] of pages) {
    const names = parseDependencies(page);
    if (!names) faults.push(`${path}: has no line "Dependencies: …"`);
    for (const section of sections)
      if (!page.includes(`\n${section}\n`)) faults.push(`${path}: has no "${section}"`);
    for (const name of names ?? []) {
      if (!direct.has(name)) faults.push(`${path}: explains ${name}, which no package.json names`);
      if (explained.has(name)) faults.push(`${path}: explains ${name}, as ${explained.get(name)} does`);
      explained.set(name, path);
    }
  }
  for (const name of direct)
    if (!explained.has(name)) faults.push(`${name}: no page of docs/decisions explains it`);
  return faults;
}

if (import.meta.main) {
  const files = listFiles();
  const manifests = files
    .filter((path) => /(^|\/)package\.json$/.test(path))
    .map((path): Manifest => JSON.parse(readText(path)));
  const own = new Set(manifests.map(({ name }) => name));
  const named = manifests.flatMap((manifest) =>
    fields.flatMap((field) => Object.keys(manifest[field] ?? {})),
  );
  const direct = new Set(named.filter((name) => !own.has(name)));
  const paths = files.filter((path) => /^docs\/decisions\/\d{4}-[a-z0-9-]+\.md$/.test(path));
  const numbers = paths.map((path) => path.slice(15, 19));
  const twice = numbers.filter((number, index) => numbers.indexOf(number) !== index);
  const pages = new Map(paths.map((path) => [path, readText(path)]));
  finish('decisions', [
    ...checkDecisions(direct, pages),
    ...twice.map((number) => `decision ${number} exists twice`),
  ]);
}
