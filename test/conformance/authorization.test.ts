/**
 * The official conformance tool judges the authorization server: both of its scenarios, for every revision of the
 * specification that it knows. It prints the address a person must open; a person over plain HTTP signs in.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolPath } from '../support/conformance-tool.ts';
import { findFreePort } from '../support/free-port.ts';
import { createHttpBrowser, signInOverHttp } from '../support/http-person.ts';
import { registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

const revisions = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'];
const scenarios = ['authorization-server-metadata-endpoint', 'authorization-code-grant'];

let product: Product;
beforeAll(async () => {
  product = await startProduct();
});
afterAll(() => product.close());

test.each(revisions)('A33 A34 A55: the conformance tool passes both scenarios of %s', async (revision) => {
  const { exitCode, output } = await judge(revision);
  for (const scenario of scenarios) expect(output).toContain(scenario);
  expect(output).toMatch(/Total: [1-9]\d* passed, 0 failed/);
  expect(exitCode, output).toBe(0);
});

/** Runs the tool, and signs in where it asks for it. */
async function judge(revision: string): Promise<{ exitCode: number | null; output: string }> {
  const port = await findFreePort();
  const callback = `http://127.0.0.1:${port}/callback`;
  const clientId = await registerClient(product, { client_name: 'Conformance', redirect_uris: [callback] });
  const tool = spawn(
    process.execPath,
    [
      toolPath(),
      'authorization',
      `--url=${product.url}`,
      `--client-id=${clientId}`,
      `--resource=${product.mcpUrl}`,
      `--port=${port}`,
      `--spec-version=${revision}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  tool.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const lines = createInterface({ input: tool.stdout });
  lines.on('line', (line) => {
    output += `${line}\n`;
    const address = /(http:\/\/localhost:\d+\/authorize\?\S+)/.exec(line)?.[1];
    if (address !== undefined) void signInAsAsked(address, new URL(callback).origin);
  });
  const exitCode = await new Promise<number | null>((resolve) => tool.once('close', resolve));
  return { exitCode, output };
}

async function signInAsAsked(address: string, toolOrigin: string): Promise<void> {
  const browser = createHttpBrowser();
  const left = await signInOverHttp(browser, address, {
    person: product.people.reader,
    gateway: product.url,
    emulator: product.emulator.httpOrigin,
  });
  if (left.location?.startsWith(toolOrigin)) await browser.request(left.location);
}
