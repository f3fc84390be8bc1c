import { expect, test } from 'vitest';
import { citedIds, parseTitles, renderPromises } from './promises.ts';
import { abilities, advisories, mistakes, transportRules } from './promises.table.ts';

test('titles are read from every form of a test, and not from one that never runs', () => {
  const text = [
    "test('A1: plain', () => {});",
    "test.each([1])('A2: rows %s', () => {});",
    'describe.concurrent(`D3: ${name} group`, () => { it("A4: inside", () => {}); });',
    "test.skip('A5: skipped', () => {});",
    "test.todo('A6: planned');",
    "other('A7: no test');",
    "// test('A8: comment')",
  ].join('\n');
  expect(parseTitles('x.test.ts', text)).toEqual(['A1: plain', 'A2: rows %s', 'D3: … group', 'A4: inside']);
});

test('ids are whole words', () => {
  expect(citedIds('A32 D24: javascript: is refused')).toEqual(['A32', 'D24']);
  expect(citedIds('CVE-2025-6514 GHSA-c2jp-c369-7pvx, RSA256, A320x, Ed25519')).toEqual([
    'CVE-2025-6514',
    'GHSA-c2jp-c369-7pvx',
  ]);
});

test('a line is held by the files whose titles cite it, each once', () => {
  const titles = [
    { path: 'test/a.test.ts', title: 'A12: one' },
    { path: 'test/a.test.ts', title: 'A12: two' },
  ];
  const text = renderPromises(titles);
  expect(text).toMatch(/\| A12 \|.*\| \[test\/a\.test\.ts\]\(\.\.\/\.\.\/test\/a\.test\.ts\) \|/);
  expect(text.slice(text.indexOf('## Ahead'))).toMatch(/\| A1 \|/);
});

test('every id is defined once', () => {
  const ids = [...abilities, ...transportRules, ...mistakes, ...advisories].map(([id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(abilities.map(([id]) => id)).toEqual(Array.from({ length: 60 }, (_, index) => `A${index + 1}`));
  expect(transportRules.map(([id]) => id)).toEqual(Array.from({ length: 17 }, (_, index) => `T${index + 1}`));
  expect(mistakes.map(([id]) => id)).toEqual(Array.from({ length: 69 }, (_, index) => `D${index + 1}`));
});
