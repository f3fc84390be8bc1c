/** A gateway before a backend that counts raw bytes, and what must be so after whatever was sent to it. */
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { callMcp, obtainTokens } from './oauth-client.ts';
import { type Product, snippetsBackend, startProduct } from './product.ts';
import { type RawBackend, startRawBackend, valuesOf } from './raw-backend.ts';
import type { CorpusTarget } from './smuggling-corpus.ts';

/** In the titles of the tests, so that a report says how to repeat the run. */
export const fuzzSeed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2_147_483_647);
const timeMs = Number(process.env['GATEWAY_FUZZ_MS'] ?? 4000);

const timeBox = { seed: fuzzSeed, numRuns: 1_000_000, interruptAfterTimeLimit: timeMs, endOnFailure: true };

/** As many runs as the time allows, but at least one, and the last of them to its end. */
export async function fuzz<Value>(
  arbitrary: fc.Arbitrary<Value>,
  check: (value: Value) => Promise<void>,
): Promise<void> {
  let last = Promise.resolve();
  const run = (value: Value) => {
    last = check(value);
    return last;
  };
  await fc.assert(fc.asyncProperty(arbitrary, run), timeBox).catch((failure: unknown) => {
    if (!String(failure).includes('interrupted after 0 tests')) throw failure;
  });
  // The time limit lets go of the run under way.
  await last;
}

/** For `test`. */
export const fuzzTimeoutMs = 60_000 + 2 * timeMs;

export interface FuzzedGateway {
  readonly product: Product;
  readonly backend: RawBackend;
  /** With the token of a person who may do everything there. */
  readonly target: CorpusTarget;
  /** It goes on, nothing unsound or of anybody else arrived, and the log has no fault of ours. Forgets what arrived. */
  expectUnharmed(): Promise<void>;
  close(): Promise<void>;
}

export async function startFuzzedGateway(): Promise<FuzzedGateway> {
  const backend = await startRawBackend();
  const product = await startProduct({ backends: () => ({ snippets: snippetsBackend(backend.url) }) });
  const { accessToken: token } = await obtainTokens(product, product.people.reader);
  const answer = await callMcp(product.mcpUrl, token, 'ping');
  const { result } = (await answer.json()) as { result: { plain: string } };
  return {
    product,
    backend,
    target: { host: new URL(product.url).host, path: new URL(product.mcpUrl).pathname, token },
    async expectUnharmed() {
      expect((await callMcp(product.mcpUrl, token, 'ping')).status).toBe(200);
      expect(backend.faults.splice(0)).toEqual([]);
      const arrived = backend.arrived.splice(0);
      const people = arrived.map(({ headers }) => valuesOf(headers, 'x-valetkey-object-id')[0]);
      expect([...new Set(people)]).toEqual([result.plain]);
      expect(product.logLines.filter((line) => line.includes('request failed'))).toEqual([]);
    },
    async close() {
      await product.close();
      await backend.close();
    },
  };
}
