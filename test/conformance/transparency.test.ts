/**
 * The official conformance tool judges an MCP server with the gateway in the path and without it, for both eras: each
 * check must come out the same, and every answer must be the same but for what the gateway refuses by itself.
 */
import { expect, test } from 'vitest';
import { startBearerAdapter } from '../support/bearer-adapter.ts';
import { type Check, judgeServer, type Verdict } from '../support/conformance-tool.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { startProduct } from '../support/product.ts';
import { startEverything } from './backend/everything.ts';
import { type FullBackend, startFullBackend } from './backend/full-backend.ts';
import { findDifferences } from './transcript.ts';

const revisions = ['2025-11-25', '2026-07-28'] as const;
const path = '/mcp';
/** Three runs of the tool at once, of which one alone waits for eight seconds. */
const timeoutMs = 120_000;

/** A rule for one tool, which the person satisfies: so every list passes through the tool filter. */
const mounted = (upstream: string) => ({
  title: 'Conformance',
  path,
  upstream,
  scopes: { use: 'Use it' },
  enter: { anyRole: ['Snippets.Reader'] },
  tools: { test_simple_text: { anyRole: ['Snippets.Reader'] } },
});

/** Each run has a server of its own: a change that one run makes would be told to the other. */
async function judgeThrice(start: () => Promise<FullBackend>, revision: string) {
  await using stack = new AsyncDisposableStack();
  const opened = async <Opened extends { close(): Promise<void> }>(opening: Promise<Opened>) =>
    stack.adopt(await opening, ({ close }) => close());
  const [bare, near, far] = [await opened(start()), await opened(start()), await opened(start())];
  const product = await opened(startProduct({ backends: () => ({ conformance: mounted(far.url) }) }));
  const { accessToken } = await obtainTokens(product, product.people.reader, {
    resource: product.url + path,
    scope: 'use',
  });
  const direct = await opened(startBearerAdapter(near.url, undefined));
  const through = await opened(startBearerAdapter(product.url + path, accessToken));
  const urls = [bare.url, direct.url, through.url];
  const [straight, beside, behind] = await Promise.all(urls.map((url) => judgeServer(url, revision)));
  if (straight === undefined || beside === undefined || behind === undefined) throw new Error('three runs');
  return { straight, beside, behind, differences: findDifferences(direct.passed, through.passed) };
}

/** One line per check: what the tool would report of it. */
function linesOf({ scenarios, summary }: Verdict): string[] {
  const line = (scenario: string, { id, name, status, errorMessage = '' }: Check) =>
    `${scenario}: ${id} ${name} ${status} ${errorMessage}`.replace(/localhost:\d+/g, '<host>');
  const lines = [...scenarios].flatMap(([scenario, checks]) => checks.map((check) => line(scenario, check)));
  return [...lines, ...summary];
}

/** What each check came to, the worst where it was made more than once: as the tool counts. */
function statusesOf({ scenarios }: Verdict): Map<string, Check['status']> {
  const severity = ['INFO', 'SKIPPED', 'SUCCESS', 'WARNING', 'FAILURE'];
  const statuses = new Map<string, Check['status']>();
  for (const [scenario, checks] of scenarios) {
    for (const { id, status } of checks) {
      const known = statuses.get(`${scenario} ${id}`) ?? 'INFO';
      const isWorse = severity.indexOf(status) > severity.indexOf(known);
      statuses.set(`${scenario} ${id}`, isWorse ? status : known);
    }
  }
  return statuses;
}

function changedStatuses(straight: Verdict, behind: Verdict): string[] {
  const [before, after] = [statusesOf(straight), statusesOf(behind)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((check) => before.get(check) !== after.get(check))
    .map((check) => `${check}: ${before.get(check)} -> ${after.get(check)}`)
    .toSorted();
}

const atLeast = { '2025-11-25': 84, '2026-07-28': 196 };

test.each(revisions)(
  'A51 A54: a server with every feature passes each check of %s, straight and behind the gateway alike',
  async (revision) => {
    const { straight, beside, behind, differences } = await judgeThrice(startFullBackend, revision);
    const lines = linesOf(straight);
    expect(lines.filter((line) => / (?:FAILURE|WARNING) /.test(line))).toEqual([]);
    expect(lines.filter((line) => line.includes(' SUCCESS ')).length).toBeGreaterThanOrEqual(
      atLeast[revision],
    );
    expect(linesOf(beside)).toEqual(lines);
    expect(linesOf(behind), behind.output).toEqual(lines);
    expect(differences).toEqual([]);
  },
  timeoutMs,
);

/** What this server lets happen, and no gateway may: a foreign host, a dead session, headers that belie the body. */
const refusedByUs = {
  '2025-11-25': [
    'dns-rebinding-protection localhost-host-rebinding-rejected',
    'server-session-lifecycle server-session-terminated-returns-404',
  ],
  '2026-07-28': [
    'server-stateless sep-2575-http-server-header-mismatch-400',
    'server-stateless sep-2575-request-meta-invalid-missing-meta',
    'server-stateless sep-2575-request-meta-invalid-missing-protocol-version',
    'tasks-request-headers tasks-headers-reject-mismatched-method',
  ],
};

test.each(revisions)(
  "A51 A54: the MCP project's own sample server gets no other result for %s but where the gateway has to refuse",
  async (revision) => {
    const { straight, beside, behind } = await judgeThrice(startEverything, revision);
    expect(changedStatuses(straight, beside)).toEqual([]);
    expect(statusesOf(straight).size).toBeGreaterThan(50);
    expect(changedStatuses(straight, behind)).toEqual(
      refusedByUs[revision].map((check) => `${check}: FAILURE -> SUCCESS`),
    );
  },
  timeoutMs,
);
