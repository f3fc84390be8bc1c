/**
 * Catches: a promise that no test holds although somebody believes so, and a test that cites an id nobody defined.
 * Reads the titles of all tests and writes docs/reference/promises.md (`--write`); fails when that page is out of date.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Expression, parseSync, type PrivateIdentifier, type Super, Visitor } from 'oxc-parser';
import { abilities, advisories, mistakes, type Promised, transportRules } from './promises.table.ts';
import { isTestFile, listFiles, readText, root } from './sources.ts';
import { finish } from './verdict.ts';

interface Title {
  readonly path: string;
  readonly title: string;
}

const page = 'docs/reference/promises.md';
const idPattern = /\b(?:[ADT]\d{1,3}|CVE-\d{4}-\d{4,}|GHSA(?:-[a-z0-9]{4}){3})\b/g;
const promises = [...abilities, ...transportRules, ...mistakes, ...advisories];

/** `test`, `describe.concurrent`, `test.each(rows)`: the chain of names that is called, without arguments. */
function nameChain(callee: Expression | Super | PrivateIdentifier): string[] {
  if (callee.type === 'Identifier' || callee.type === 'PrivateIdentifier') return [callee.name];
  if (callee.type === 'CallExpression') return nameChain(callee.callee);
  if (callee.type === 'TaggedTemplateExpression') return nameChain(callee.tag);
  return callee.type === 'MemberExpression'
    ? [...nameChain(callee.object), ...nameChain(callee.property)]
    : [];
}

/** The titles of the tests and groups in a source text; one that is skipped or only planned holds nothing. */
export function parseTitles(path: string, text: string): string[] {
  const titles: string[] = [];
  new Visitor({
    CallExpression: ({ callee, arguments: [title] }) => {
      const chain = nameChain(callee);
      if (!['test', 'it', 'describe'].includes(chain[0] ?? '')) return;
      if (chain.some((name) => ['skip', 'todo', 'fails'].includes(name))) return;
      if (title?.type === 'Literal' && typeof title.value === 'string') titles.push(title.value);
      if (title?.type === 'TemplateLiteral')
        titles.push(title.quasis.map((part) => part.value.cooked ?? '').join('…'));
    },
  }).visit(parseSync(path, text).program);
  return titles;
}

export function citedIds(title: string): string[] {
  return title.match(idPattern) ?? [];
}

function readTitles(): Title[] {
  return listFiles()
    .filter((path) => /^(packages|examples|test)\//.test(path) && isTestFile(path))
    .flatMap((path) => parseTitles(path, readText(path)).map((title) => ({ path, title })));
}

/** Table cells: no bar and no line break may come through. */
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').replaceAll('<', '&lt;');

/** The files whose tests cite the id. */
function holdersOf(id: string, titles: readonly Title[]): string[] {
  const holders = titles.filter(({ title }) => citedIds(title).includes(id));
  return [...new Set(holders.map(({ path }) => path))];
}

export function renderPromises(titles: readonly Title[]): string {
  const isHeld = ([id]: Promised) => holdersOf(id, titles).length > 0;
  const row = ([id, meaning]: Promised) => {
    const held = holdersOf(id, titles).map((path) => `[${path}](../../${path})`);
    return `| ${id} | ${cell(meaning)} | ${held.join('<br>')} |`;
  };
  const section = (heading: string, rows: readonly Promised[]) => [
    `## ${heading}`,
    '',
    '| id | in short | held by |',
    '|---|---|---|',
    ...rows.filter(isHeld).map(row),
    '',
  ];
  const ahead = promises.filter((promised) => !isHeld(promised));
  return [
    '# Promises and the tests that hold them',
    '',
    'Written by `npm run generate`. A test holds a line by citing its id in the title.',
    `${promises.length - ahead.length} of ${promises.length} lines are held; the others stand at the end.`,
    '',
    ...section('What works', abilities),
    ...section('Rules of the transport', transportRules),
    ...section('Mistakes that are not made here', mistakes),
    ...section('Published attacks that fail here', advisories),
    '## Ahead',
    '',
    'No test holds these yet.',
    '',
    '| id | in short |',
    '|---|---|',
    ...ahead.map(([id, meaning]) => `| ${id} | ${cell(meaning)} |`),
    '',
  ].join('\n');
}

if (import.meta.main) {
  const titles = readTitles();
  const known = new Set(promises.map(([id]) => id));
  const unknown = titles.flatMap(({ path, title }) =>
    citedIds(title)
      .filter((id) => !known.has(id))
      .map((id) => `${path}: "${title}" cites ${id}, which tools/promises.table.ts does not have`),
  );
  const text = renderPromises(titles);
  if (process.argv.includes('--write')) {
    mkdirSync(dirname(join(root, page)), { recursive: true });
    writeFileSync(join(root, page), text);
  }
  const isCurrent = existsSync(join(root, page)) && readText(page) === text;
  finish('promises', [...unknown, ...(isCurrent ? [] : [`${page} is out of date: npm run generate`])]);
}
