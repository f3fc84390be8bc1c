/**
 * Catches: a behaviour of the emulator that somebody believes in and no test shows, and a library said to accept the
 * emulator that does not. Writes docs/reference/fidelity.md (`--write`) from the rows in packages/emulator/fidelity and
 * the titles of the judges; fails when that page is out of date. `--report FILE` holds the page to a run of the judges:
 * one that did not pass there may not stand in the table.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseTitles } from './promises.ts';
import { isTestFile, listFiles, readText, root } from './sources.ts';
import { finish } from './verdict.ts';
import { readPassedTitles } from './vitest-report.ts';

/** As packages/emulator/fidelity/row.ts has it; what is read from there is checked here all the same. */
export interface FidelityRow {
  readonly behaviour: string;
  readonly source: 'document' | 'capture' | 'library' | 'unverified';
  readonly reference: string;
  readonly test: string;
}
export interface Judge {
  readonly library: string;
  readonly major: string;
  readonly flow: string;
  readonly title: string;
}
export interface Section {
  readonly name: string;
  readonly rows: readonly FidelityRow[];
}

const page = 'docs/reference/fidelity.md';
const rowsFolder = 'packages/emulator/fidelity';
const sources: readonly FidelityRow['source'][] = ['document', 'capture', 'library', 'unverified'];

/** `judge @azure/msal-node 7: device code` */
export function parseJudge(title: string): Judge | undefined {
  const [, library, major, flow] = /^judge (\S+) (\d+): (\S.*)$/.exec(title) ?? [];
  return library && major && flow ? { library, major, flow, title } : undefined;
}

/** Titles that begin like a judge's and are none, twice the same one, libraries of another major version. */
export function checkJudges(
  titles: readonly string[],
  versionOf: (library: string) => string | undefined,
): string[] {
  const faults = titles.flatMap((title, index) => {
    if (title.includes('…')) return [`"${title}" is put together at run time: write each judge out`];
    if (titles.indexOf(title) !== index) return [`"${title}" is there twice`];
    const judge = parseJudge(title);
    if (judge === undefined) return [`"${title}" is not of the form: judge <library> <major>: <flow>`];
    const version = versionOf(judge.library);
    if (version === undefined) return [`"${title}": ${judge.library} is not installed`];
    return version.split('.')[0] === judge.major ? [] : [`"${title}" ran on ${judge.library} ${version}`];
  });
  return [...new Set(faults)];
}

/** The table tells of judges that passed, in this run and with these titles; `passed` comes from vitest's report. */
export function checkRun(titles: readonly string[], passed: ReadonlySet<string>): string[] {
  const told = new Set(titles);
  return [
    ...titles.filter((title) => !passed.has(title)).map((title) => `"${title}" did not pass in this run`),
    ...[...passed]
      .filter((title) => title.startsWith('judge ') && !told.has(title))
      .map((title) => `"${title}" passed in this run and stands nowhere`),
  ];
}

export function checkRows(sections: readonly Section[], isThere: (path: string) => boolean): string[] {
  return sections.flatMap(({ name, rows }) =>
    rows.flatMap(({ behaviour, source, reference, test }) => {
      const faults = [
        ...(behaviour.trim() === '' || reference.trim() === '' ? ['says nothing, or not where from'] : []),
        ...(sources.includes(source) ? [] : [`has the unknown source ${source}`]),
        ...(isTestFile(test) && isThere(test) ? [] : [`names ${test}, which is no test here`]),
      ];
      return faults.map((fault) => `${rowsFolder}/${name}.ts: "${behaviour}" ${fault}`);
    }),
  );
}

/** Table cells: no bar, no line break and no tag may come through. */
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').replaceAll('<', '&lt;');

function renderSection({ name, rows }: Section): string[] {
  const heading = name.replaceAll('-', ' ');
  return [
    `## ${heading.charAt(0).toUpperCase()}${heading.slice(1)}`,
    '',
    '| what Entra does | how we know | shown by |',
    '|---|---|---|',
    ...rows.map(({ behaviour, source, reference, test }) => {
      const file = test.split('/').at(-1);
      return `| ${cell(behaviour)} | ${source}: ${cell(reference)} | [${file}](../../${test}) |`;
    }),
    '',
  ];
}

function renderJudges(
  judges: readonly Judge[],
  versionOf: (library: string) => string | undefined,
): string[] {
  const libraries = [...new Set(judges.map(({ library }) => library))].toSorted();
  const flows = [...new Set(judges.map(({ flow }) => flow))].toSorted();
  const has = (library: string, flow: string) =>
    judges.some((judge) => judge.library === library && judge.flow === flow) ? '✓' : '';
  return [
    `| flow | ${libraries.map((library) => `${library} ${versionOf(library)}`).join(' | ')} |`,
    `|---|${libraries.map(() => ':-:|').join('')}`,
    ...flows.map(
      (flow) => `| ${cell(flow)} | ${libraries.map((library) => has(library, flow)).join(' | ')} |`,
    ),
  ];
}

export function renderFidelity(
  sections: readonly Section[],
  judges: readonly Judge[],
  versionOf: (library: string) => string | undefined,
): string {
  const count = (source: FidelityRow['source']) =>
    sections.flatMap(({ rows }) => rows).filter((row) => row.source === source).length;
  return [
    '# What the Entra emulator is faithful in',
    '',
    'Written by `npm run generate`. Each line is a behaviour of Entra ID, how we know of it, and the test that shows it in',
    `the emulator: ${count('document')} from documents, ${count('capture')} from public captures, ${count('library')} from what libraries rely on, ${count('unverified')} unverified, that is,`,
    'believed and not compared with the real service. `tools/record-entra.ts` compares with a tenant of yours.',
    '',
    '## Judges',
    '',
    'Real libraries, unpatched, that take the emulator for Entra ID. `npm test` holds this table to its own run: a judge',
    'that does not pass may not stand here.',
    '',
    ...renderJudges(judges, versionOf),
    '',
    ...sections.flatMap(renderSection),
  ].join('\n');
}

/** The installed version, as the library's own package.json has it. */
function findInstalled(library: string): string | undefined {
  const path = `node_modules/${library}/package.json`;
  if (!existsSync(join(root, path))) return undefined;
  return (JSON.parse(readText(path)) as { version: string }).version;
}

async function readSections(files: readonly string[]): Promise<Section[]> {
  const paths = files.filter((path) => path.startsWith(`${rowsFolder}/`) && !path.endsWith('/row.ts'));
  return Promise.all(
    paths.map(async (path) => {
      const module = (await import(pathToFileURL(join(root, path)).href)) as Record<string, unknown>;
      const rows = Object.values(module).filter(Array.isArray).flat() as FidelityRow[];
      return { name: path.slice(rowsFolder.length + 1, -'.ts'.length), rows };
    }),
  );
}

if (import.meta.main) {
  const files = listFiles();
  const titles = files
    .filter((path) => path.startsWith('test/judges/') && isTestFile(path))
    .flatMap((path) => parseTitles(path, readText(path)))
    .filter((title) => title.startsWith('judge'));
  const sections = await readSections(files);
  const judges = titles.flatMap((title) => parseJudge(title) ?? []);
  const text = renderFidelity(sections, judges, findInstalled);
  if (process.argv.includes('--write')) {
    mkdirSync(dirname(join(root, page)), { recursive: true });
    writeFileSync(join(root, page), text);
  }
  const isCurrent = existsSync(join(root, page)) && readText(page) === text;
  const at = process.argv.indexOf('--report');
  finish('fidelity', [
    ...checkJudges(titles, findInstalled),
    ...checkRows(sections, (path) => files.includes(path)),
    ...(at < 0 ? [] : checkRun(titles, readPassedTitles(process.argv[at + 1] ?? ''))),
    ...(isCurrent ? [] : [`${page} is out of date: npm run generate`]),
  ]);
}
