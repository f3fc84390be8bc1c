/** The official conformance tool before a command: does the gateway make a Streamable HTTP server of it? */
import { expect, test } from 'vitest';
import { startBearerAdapter } from '../support/bearer-adapter.ts';
import { judgeServer } from '../support/conformance-tool.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { startProduct } from '../support/product.ts';

/** What is no part of a process that speaks on its pipes. */
const notPassed: Readonly<Record<string, readonly string[]>> = {
  '2025-11-25': [],
  '2026-07-28': [
    // The sample server refuses this in its own HTTP part.
    'sep-2663-server-returns-missing-capability-when-required',
  ],
};

test.each(Object.keys(notPassed))(
  'A51 A54: a command with every feature passes the checks of %s as a server of Streamable HTTP',
  async (revision) => {
    await using stack = new AsyncDisposableStack();
    const product = stack.adopt(
      await startProduct({
        backends: () => ({
          conformance: {
            path: '/mcp',
            command: [process.execPath, 'test/conformance/backend/full-stdio.ts'],
            cwd: process.cwd(),
            scopes: { use: 'Use it' },
            tools: { test_simple_text: { anyRole: ['Snippets.Reader'] } },
          },
        }),
      }),
      ({ close }) => close(),
    );
    const { accessToken } = await obtainTokens(product, product.people.reader, {
      resource: `${product.url}/mcp`,
      scope: 'use',
    });
    const through = stack.adopt(await startBearerAdapter(`${product.url}/mcp`, accessToken), ({ close }) =>
      close(),
    );
    const { scenarios, output } = await judgeServer(through.url, revision);
    const checks = [...scenarios.values()].flat();
    const failed = checks
      .filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
      .map(({ id }) => id);
    expect([...new Set(failed)].toSorted(), output).toEqual(notPassed[revision]);
    expect(checks.filter(({ status }) => status === 'SUCCESS').length).toBeGreaterThan(70);
  },
  120_000,
);
