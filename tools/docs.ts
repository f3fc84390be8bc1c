/**
 * Catches: a command in the documentation that nobody ever ran, a link or a path that leads nowhere, and what must
 * not leave a developer's machine: absolute paths of it, and addresses of its package registry.
 */
import { existsSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { commands } from './docs.table.ts';
import { listFiles, readText, root } from './sources.ts';
import { finish } from './verdict.ts';

/** Where a reader is told to run something. */
const hasCommands = (path: string) => /^(README\.md|CONTRIBUTING\.md|docs\/guide\/.*\.md)$/.test(path);

/** The commands of the fenced `sh` and `console` blocks: comments dropped, continued lines joined, `console` output left out. */
export function parseCommands(markdown: string): string[] {
  const blocks = markdown.matchAll(/^ *```(sh|bash|console)\b[^\n]*\n([\s\S]*?)^ *```/gm);
  return [...blocks].flatMap(([, language, body = '']) =>
    body
      .replaceAll(/\\\n\s*/g, '')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) =>
        language === 'console' ? line.startsWith('$ ') : line !== '' && !line.startsWith('#'),
      )
      .map((line) => line.replace(/^\$ /, '').replace(/\s+#.*$/, '')),
  );
}

/** Commands that no row of the table holds, rows that no document uses, rows whose test is not there. */
export function checkCommands(
  documents: ReadonlyMap<string, string>,
  table: Readonly<Record<string, string>>,
  isThere: (path: string) => boolean,
): string[] {
  const used = new Set<string>();
  const faults: string[] = [];
  for (const [path, text] of documents) {
    for (const command of parseCommands(text)) {
      used.add(command);
      if (!Object.hasOwn(table, command))
        faults.push(`${path}: no test runs \`${command}\` (tools/docs.table.ts)`);
    }
  }
  for (const [command, test] of Object.entries(table)) {
    if (!isThere(test))
      faults.push(`tools/docs.table.ts: ${test}, said to run \`${command}\`, does not exist`);
    if (!used.has(command)) faults.push(`tools/docs.table.ts: no document tells to run \`${command}\``);
  }
  return faults;
}

/** The anchor that GitHub makes of a heading. */
function anchorOf(heading: string): string {
  const words = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '');
  return words.trim().replaceAll(/\s/g, '-');
}

const withoutCode = (markdown: string) =>
  markdown.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').replaceAll(/`[^`\n]*`/g, '');

/** Relative links of a page that lead to no file or to no heading. */
export function checkLinks(
  path: string,
  markdown: string,
  read: (path: string) => string | undefined,
): string[] {
  const links = withoutCode(markdown).matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|(?:src|href)="([^"]+)"/g);
  return [...links].flatMap(([, inline, attribute]) => {
    const link = inline ?? attribute ?? '';
    if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return [];
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? path : posix.join(posix.dirname(path), decodeURI(file));
    const text = read(target);
    if (text === undefined) return [`${path}: the link ${link} leads nowhere`];
    if (!anchor || !target.endsWith('.md')) return [];
    const headings = [...text.matchAll(/^#+\s+(.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
    return headings.includes(anchor) ? [] : [`${path}: ${target} has no heading #${anchor}`];
  });
}

const mcpMethods = new Set(['tools/list', 'tools/call']);

/** Paths of this repository in `code`, that do not exist. A pattern with `*` or `<` is not a path, nor is an MCP method. */
export function checkPaths(path: string, markdown: string, isThere: (path: string) => boolean): string[] {
  const named = markdown.matchAll(/`((?:packages|examples|test|tools|docs|bench)\/[^`\s*<>{}…]+)`/g);
  return [...named].flatMap(([, name = '']) =>
    mcpMethods.has(name) || isThere(name) ? [] : [`${path}: \`${name}\` does not exist`],
  );
}

/** Rows of docs/threats.md that name no test: a control that nothing would miss. */
export function checkThreats(path: string, markdown: string): string[] {
  const rows = markdown.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| threat |'));
  return rows
    .filter((row) => !/`[^`]+\.test\.ts`/.test(row))
    .map((row) => `${path}: no test holds "${row.split('|')[1]?.trim()}"`);
}

const machinePath = /(?<![\w.:/-])\/(?:home|root|Users|work|private\/tmp)\/[\w.-]+/;
const registry = /https?:\/\/[^\s"'`)]*(?:registry\.|npmjs\.org|verdaccio|artifactory|nexus)/;

/** What would tie a file to one machine or one registry. */
export function checkTraces(path: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const found = machinePath.exec(line) ?? registry.exec(line);
    return found ? [`${path}:${index + 1}: ${found[0]} belongs to one machine or registry`] : [];
  });
}

if (import.meta.main) {
  const files = listFiles();
  const isThere = (path: string) => existsSync(join(root, path));
  const read = (path: string) => {
    if (!isThere(path)) return undefined;
    return statSync(join(root, path)).isDirectory() ? '' : readText(path);
  };
  const isText = (path: string) => !/\.(png|jpe?g|gif|webp|ico|woff2?|pdf|zip)$/.test(path);
  const documents = new Map(
    files.filter((path) => path.endsWith('.md')).map((path) => [path, readText(path)]),
  );
  finish('docs', [
    ...checkCommands(new Map([...documents].filter(([path]) => hasCommands(path))), commands, isThere),
    ...[...documents].flatMap(([path, text]) => [
      ...checkLinks(path, text, read),
      ...checkPaths(path, text, isThere),
    ]),
    ...checkThreats('docs/threats.md', documents.get('docs/threats.md') ?? ''),
    ...files.filter(isText).flatMap((path) => checkTraces(path, readText(path))),
  ]);
}
