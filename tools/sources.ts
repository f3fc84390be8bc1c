/** The project's files as git sees them, and what each TypeScript file imports. Shared by the checks of this folder. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Node, parseSync, Visitor } from 'oxc-parser';

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');

/** Every file that is tracked or would be: the paths that exist, relative to `at`, sorted. */
export function listFiles(at: string = root): string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard'];
  const listed = execFileSync('git', args, { cwd: at, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return [...new Set(listed.split('\n'))]
    .filter((path) => path !== '' && existsSync(join(at, path)))
    .toSorted();
}

/** A test, a suite that tests share, or what they stand on: never part of a package. */
export function isTestFile(path: string): boolean {
  return /\.(test|suite|test-support)\.[cm]?[jt]s$/.test(path);
}

/** One import of a file: what it names, or undefined where the name is computed at run time. */
export interface Import {
  readonly specifier: string | undefined;
  readonly line: number;
}

/** Every import and re-export of a source text, types included (`import('x').T` too), in the order of the text. */
export function parseImports(path: string, text: string): Import[] {
  const found: { at: number; specifier: string | undefined }[] = [];
  const literal = (source: Node) =>
    source.type === 'Literal' && typeof source.value === 'string' ? source.value : undefined;
  const note = (node: { readonly source: Node | null; readonly start: number }) => {
    if (node.source) found.push({ at: node.start, specifier: literal(node.source) });
  };
  const { program, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  new Visitor({
    ImportDeclaration: note,
    ExportNamedDeclaration: note,
    ExportAllDeclaration: note,
    ImportExpression: note,
    TSImportType: note,
  }).visit(program);
  return found.map(({ at, specifier }) => ({ specifier, line: text.slice(0, at).split('\n').length }));
}

export function readText(path: string, at: string = root): string {
  return readFileSync(join(at, path), 'utf8');
}
