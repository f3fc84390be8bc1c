import { expect, test } from 'vitest';
import { checkJudges, checkRows, checkRun, parseJudge, renderFidelity, type Section } from './fidelity.ts';
import { passedTitlesOf } from './vitest-report.ts';

const versions: Readonly<Record<string, string>> = { '@azure/msal-node': '7.2.1', 'openid-client': '6.8.9' };
const versionOf = (library: string) => versions[library];

test('a judge names its library, the major version and the flow', () => {
  expect(parseJudge('judge @azure/msal-node 7: device code')).toMatchObject({
    library: '@azure/msal-node',
    major: '7',
    flow: 'device code',
  });
  expect(parseJudge('judge msal: device code')).toBeUndefined();
});

test('titles that tell nothing, or of another version, are faults', () => {
  expect(checkJudges(['judge @azure/msal-node 7: device code'], versionOf)).toEqual([]);
  const faults = checkJudges(
    [
      'judge @azure/msal-node 6: device code',
      'judge nothing 1: x',
      'judge openid-client 6: …',
      'judge openid-client: x',
      'judge openid-client 6: y',
      'judge openid-client 6: y',
    ],
    versionOf,
  );
  expect(faults).toEqual([
    '"judge @azure/msal-node 6: device code" ran on @azure/msal-node 7.2.1',
    '"judge nothing 1: x": nothing is not installed',
    '"judge openid-client 6: …" is put together at run time: write each judge out',
    '"judge openid-client: x" is not of the form: judge <library> <major>: <flow>',
    '"judge openid-client 6: y" is there twice',
  ]);
});

test('a judge that did not pass in the run may not stand in the table, and one that passed must', () => {
  const report = {
    testResults: [
      {
        status: 'failed',
        assertionResults: [
          { title: 'judge a 1: x', status: 'passed' },
          { title: 'judge a 1: y', status: 'failed' },
          { title: 'judge a 1: w', status: 'passed' },
          { title: 'anything else', status: 'passed' },
        ],
      },
    ],
  };
  expect(checkRun(['judge a 1: x', 'judge a 1: y', 'judge a 1: z'], passedTitlesOf(report))).toEqual([
    '"judge a 1: y" did not pass in this run',
    '"judge a 1: z" did not pass in this run',
    '"judge a 1: w" passed in this run and stands nowhere',
  ]);
});

const row = {
  behaviour: 'It | rotates',
  source: 'document',
  reference: 'a page',
  test: 'a.test.ts',
} as const;

test('a row without its test, its source or its words is a fault', () => {
  const check = (changed: object) =>
    checkRows(
      [{ name: 'graph', rows: [{ ...row, ...changed }] }] as Section[],
      (path) => path === 'a.test.ts',
    );
  expect(check({})).toEqual([]);
  expect(check({ test: 'gone.test.ts' })).toEqual([
    expect.stringContaining('gone.test.ts, which is no test here'),
  ]);
  expect(check({ test: 'a.ts' })).toHaveLength(1);
  expect(check({ source: 'hearsay' })).toHaveLength(1);
  expect(check({ reference: ' ' })).toHaveLength(1);
});

test('the page has a column per library with its version, and a line per behaviour', () => {
  const judges = ['judge openid-client 6: discovery', 'judge @azure/msal-node 7: discovery'].flatMap(
    (title) => parseJudge(title) ?? [],
  );
  const text = renderFidelity([{ name: 'sign-in', rows: [row] }], judges, versionOf);
  expect(text).toContain('| flow | @azure/msal-node 7.2.1 | openid-client 6.8.9 |');
  expect(text).toContain('| discovery | ✓ | ✓ |');
  expect(text).toContain('## Sign in');
  expect(text).toContain('| It \\| rotates | document: a page | [a.test.ts](../../a.test.ts) |');
});
