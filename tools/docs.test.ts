import { expect, test } from 'vitest';
import { checkDecisions, parseDependencies } from './decisions.ts';
import { checkCommands, checkLinks, checkPaths, checkThreats, checkTraces, parseCommands } from './docs.ts';

test('A60: commands are read from sh and console blocks only', () => {
  const markdown = [
    '```sh',
    '# a comment',
    'npm start -- \\',
    '  --port 0',
    '```',
    '```console',
    '$ npm test   # all of it',
    '12 passed',
    '```',
    '```json',
    'no command',
    '```',
  ].join('\n');
  expect(parseCommands(markdown)).toEqual(['npm start -- --port 0', 'npm test']);
});

test('A60: a command without a test, a row without a command and a test that is gone are faults', () => {
  const documents = new Map([['README.md', '```sh\nnpm start\nnpm run magic\n```\n']]);
  const table = { 'npm start': 'here.test.ts', 'npm old': 'gone.test.ts' };
  const faults = checkCommands(documents, table, (path) => path === 'here.test.ts');
  expect(faults).toEqual([
    'README.md: no test runs `npm run magic` (tools/docs.table.ts)',
    'tools/docs.table.ts: gone.test.ts, said to run `npm old`, does not exist',
    'tools/docs.table.ts: no document tells to run `npm old`',
  ]);
});

test('links must lead to a file, and to a heading of it', () => {
  const read = (path: string) => ({ 'docs/b.md': '# The `big` Title!\n' })[path];
  const check = (text: string) => checkLinks('docs/a.md', text, read);
  expect(check('[x](b.md) [y](./b.md#the-big-title) [z](https://example.com/q) `[code](no.md)`')).toEqual([]);
  expect(check('[x](c.md)')).toEqual(['docs/a.md: the link c.md leads nowhere']);
  expect(check('[x](b.md#small)')).toEqual(['docs/a.md: docs/b.md has no heading #small']);
  expect(check('<img src="no.png">')).toEqual(['docs/a.md: the link no.png leads nowhere']);
});

test('paths in code must exist, patterns need not', () => {
  const isThere = (path: string) => path === 'tools/docs.ts';
  expect(checkPaths('a.md', '`tools/docs.ts` `packages/*/src` `npm test`', isThere)).toEqual([]);
  expect(checkPaths('a.md', '`tools/gone.ts`', isThere)).toEqual(['a.md: `tools/gone.ts` does not exist']);
});

test('paths of one machine and registry addresses are found', () => {
  const [home, host] = ['home', 'registry'];
  expect(checkTraces('a', `see /${home}/me/valetkey`)).toHaveLength(1);
  expect(checkTraces('a', `"resolved": "https://${host}.example.com/x.tgz"`)).toHaveLength(1);
  expect(checkTraces('a', 'https://example.com/home/me and src/work/x.ts')).toEqual([]);
});

test('a threat without a test is found', () => {
  const table = '| threat | control | held by |\n|---|---|---|\n| a | b | `x.test.ts` |\n| c | d | trust |\n';
  expect(checkThreats('t.md', table)).toEqual(['t.md: no test holds "c"']);
});

const page = (line: string) => `# T\n\n${line}\n\n## Why\n\n## Instead of\n\n## Cost\n\n## Look again when\n`;

test('every dependency is explained once, and nothing else is', () => {
  const pages = new Map([
    ['one.md', page('Dependencies: `jose`, `zod`')],
    ['two.md', page('Dependencies: `zod`, `old`')],
    ['three.md', page('Dependencies: none')],
    ['four.md', '# nothing'],
  ]);
  const faults = checkDecisions(new Set(['jose', 'zod', 'pino']), pages);
  expect(faults).toContain('two.md: explains zod, as one.md does');
  expect(faults).toContain('two.md: explains old, which no package.json names');
  expect(faults).toContain('pino: no page of docs/decisions explains it');
  expect(faults.filter((fault) => fault.startsWith('four.md'))).toHaveLength(5);
  expect(faults.some((fault) => fault.startsWith('jose') || fault.startsWith('three'))).toBe(false);
});

test('a line of dependencies', () => {
  expect(parseDependencies('Dependencies: `a`, `@b/c`')).toEqual(['a', '@b/c']);
  expect(parseDependencies('no line')).toBeUndefined();
});
