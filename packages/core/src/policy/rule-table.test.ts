import { expect, test } from 'vitest';
import { createRuleTable, listAmbiguities } from './rule-table.ts';

const tableOf = (...names: string[]) =>
  createRuleTable(new Map(names.map((name) => [name, name])), { rule: 'others', isClosed: false });

test.each([
  ['delete_log', 'delete_log'],
  ['delete_file', 'delete_*'],
  ['delete_old_file', 'delete_old_*'],
  ['create', '*'],
  ['', '*'],
])('A24: the rule for %j is %j', (name, rule) => {
  expect(tableOf('*', 'delete_*', 'delete_old_*', 'delete_log').find(name)).toBe(rule);
});

test('A24: the order in which rules are written does not matter', () => {
  const names = ['*', 'delete_*', '*_file', 'delete_old_*', 'delete_old_file'];
  for (const order of [names, names.toReversed()])
    expect(['delete_old_file', 'delete_old_x', 'delete_file', 'x_file'].map(tableOf(...order).find)).toEqual([
      'delete_old_file',
      'delete_old_*',
      'delete_*',
      '*_file',
    ]);
});

test('A24: names that every object has find no rule', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty'])
    expect(tableOf('a').find(name)).toBe('others');
});

const [all, projects, oneProject, logs] = [
  'file:///*',
  'file:///projects/*',
  'file:///projects/a',
  'file:///logs/{day}',
];
test.each([
  ['no variable', 'file:///a', [all]],
  ['within two rules', 'file:///projects/{name}', [oneProject, projects]],
  ['within one rule', 'file:///projects/{name}/readme', [projects]],
  ['a rule for the template itself', logs, [logs]],
  ['several rules', 'file:///{+path}', [oneProject, logs, projects, all]],
  ['more than the rules say', '{+anything}.md', [projects, all, 'others']],
  ['anything', '{+uri}', [oneProject, logs, projects, all, 'others']],
  ['an expression that does not end', 'file:///projects/{name', [oneProject, projects]],
  ['a star of its own', 'file:///projects/*', [oneProject, projects]],
])('A24: the rules that a template can fall under: %s', (_case, template, rules) => {
  expect(tableOf(all, projects, oneProject, logs).findByTemplate(template)).toEqual(rules);
});

test('A24: patterns of which it cannot be said which decides are found, and only those', () => {
  expect(listAmbiguities(['ab*', 'a*b', 'x*', 'y*', '*', 'abc*', 'ab', '*_b', 'a_*'])).toEqual([
    ['ab*', 'a*b'],
    ['ab*', '*_b'],
    ['a*b', '*_b'],
    ['a*b', 'a_*'],
    ['*_b', 'a_*'],
  ]);
});
