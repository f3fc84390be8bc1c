/**
 * Catches: a page of figures that nobody measured. docs/reference/performance.md is made (`--write`) of what
 * bench/data-plane.ts has left in bench/data-plane/result.json, and must say exactly that.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readText, root } from './sources.ts';
import { finish } from './verdict.ts';

const page = 'docs/reference/performance.md';
const result = 'bench/data-plane/result.json';

/** What a run of the bench leaves behind. */
export interface Run {
  /** ISO 8601, to the day. */
  readonly date: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  readonly targets: readonly Target[];
  readonly tables: readonly Table[];
}

export interface Target {
  readonly what: string;
  readonly measured: string;
  readonly isMet: boolean;
}

export interface Table {
  readonly title: string;
  /** What exactly was measured, in a sentence or two. */
  readonly note: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export function renderPerformance(run: Run): string {
  return `# Performance

Written by \`npm run generate\` from \`${result}\`, which is what one run of \`bench/data-plane.ts\` found on one machine.
The ratios carry over to other machines better than the figures do. All subjects ran in the same run and in turn, each
pinned to one core; the load and the tiny backend, written in C, ran on the other.

${describeRun(run)}
`;
}

/** A run in Markdown, as the bench prints it too. */
export function describeRun({ date, machine, settings, targets, tables }: Run): string {
  const about = Object.entries({ date, ...machine, ...settings });
  const judged = targets.map(({ what, measured, isMet }) => [what, measured, isMet ? 'met' : '**not met**']);
  return [
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
    '## Targets',
    describeTable({ columns: ['what', 'measured', ''], rows: judged }),
    ...tables.flatMap(({ title, note, ...table }) => [`## ${title}`, note, describeTable(table)]),
  ].join('\n\n');
}

function describeTable({ columns, rows }: Pick<Table, 'columns' | 'rows'>): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.map(describeCell).join(' | ')} |`;
  return [line(columns), `|${'---|'.repeat(columns.length)}`, ...rows.map(line)].join('\n');
}

function describeCell(cell: string | number): string {
  return typeof cell === 'number' ? cell.toLocaleString('en', { maximumFractionDigits: 3 }) : cell;
}

if (import.meta.main) {
  const text = renderPerformance(JSON.parse(readText(result)) as Run);
  if (process.argv.includes('--write')) {
    mkdirSync(dirname(join(root, page)), { recursive: true });
    writeFileSync(join(root, page), text);
  }
  const isCurrent = existsSync(join(root, page)) && readText(page) === text;
  finish('performance', isCurrent ? [] : [`${page} is out of date: npm run generate`]);
}
