/**
 * The data plane under bytes that nobody should send. Whatever comes: no crash, no 5xx, and nothing reaches the
 * backend but whole requests of the gateway, each for the person whose token it carried.
 *
 * Time-boxed; GATEWAY_FUZZ_MS makes it longer, and the seed stands in the titles and in FUZZ_SEED: set it to repeat a run.
 */
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { changeWith, cutAt, cutsUpTo, damage, marks } from '../support/damage.ts';
import {
  type FuzzedGateway,
  fuzz,
  fuzzSeed,
  fuzzTimeoutMs,
  startFuzzedGateway,
} from '../support/fuzzed-gateway.ts';
import { converse, statusesOf } from '../support/raw-socket.ts';
import { type SmugglingCase, smugglingCorpus } from '../support/smuggling-corpus.ts';

let gateway: FuzzedGateway;
beforeAll(async () => {
  gateway = await startFuzzedGateway();
});
afterAll(() => gateway.close());
afterEach(() => gateway.expectUnharmed());

async function expectSound(each: SmugglingCase, pieces: readonly string[]): Promise<void> {
  const { product, backend } = gateway;
  backend.arrived.splice(0);
  const { received, isBound } = await converse(product.url, pieces, { hangsUp: each.isUnfinished === true });
  expect(isBound, `${each.name}: waits for more`).toBe(false);
  expect(Math.max(0, ...statusesOf(received)), `${each.name}: ${received.slice(0, 300)}`).toBeLessThan(500);
  expect(backend.faults, each.name).toEqual([]);
  const arrived = backend.arrived.length;
  expect(each.isRacy ? Math.max(arrived, each.mayArrive) : arrived, each.name).toBe(each.mayArrive);
}

test('A53: of each request that two parsers could read in two ways, exactly what is sound arrives', async () => {
  expect(smugglingCorpus.length).toBeGreaterThan(200);
  expect(new Set(smugglingCorpus.map(({ name }) => name)).size).toBe(smugglingCorpus.length);
  for (const each of smugglingCorpus) await expectSound(each, [each.bytes(gateway.target)]);
});

test(
  `A53: in how many packets it comes makes no difference (FUZZ_SEED=${fuzzSeed})`,
  async () => {
    const split = fc.tuple(fc.constantFrom(...smugglingCorpus), cutsUpTo(12));
    await fuzz(split, ([each, cuts]) => expectSound(each, cutAt(each.bytes(gateway.target), cuts)));
  },
  fuzzTimeoutMs,
);

const headerLines = [
  'Content-Length: 5',
  'Content-Length: 0',
  'Transfer-Encoding: chunked',
  'Host: evil.example',
  'X-Valetkey-Identity: smuggled',
  'X-Valetkey-Object-Id: smuggled',
  'Authorization: Bearer x',
  'Connection: keep-alive',
  'Connection: close',
  'Expect: 100-continue',
  'Mcp-Session-Id: x',
].map((line) => `${line}\r\n`);
const requestLines = [
  ' HTTP/1.1\r\n',
  'GET / HTTP/1.1\r\n',
  'POST /snippets/mcp HTTP/1.1\r\nHost: localhost\r\n\r\n',
];
const anyBytes = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1'));

const texts = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...marks, '28\r\n', ...headerLines, ...requestLines, 'chunked') },
  { weight: 1, arbitrary: anyBytes },
);

/** Many at a time: one whose end is in doubt is waited for only so long. */
const abreast = 24;
const patienceMs = 200;

const damaged = fc.record({
  each: fc.constantFrom(...smugglingCorpus),
  changes: fc.array(changeWith(texts), { maxLength: 5 }),
  cuts: cutsUpTo(4),
  hangsUp: fc.boolean(),
});

test(
  `A53: of requests with damaged bytes nothing unsound arrives, and none is answered 5xx (FUZZ_SEED=${fuzzSeed})`,
  async () => {
    const met: number[] = [];
    const batches = fc.array(damaged, { minLength: abreast, maxLength: abreast });
    await fuzz(batches, async (batch) => {
      const conversations = batch.map(({ each, changes, cuts, hangsUp }) => {
        const bytes = changes.reduce(damage, each.bytes(gateway.target));
        return converse(gateway.product.url, cutAt(bytes, cuts), { hangsUp, boundMs: patienceMs });
      });
      const statuses = (await Promise.all(conversations)).flatMap(({ received }) => statusesOf(received));
      met.push(...statuses);
      expect(Math.max(0, ...statuses)).toBeLessThan(500);
      expect(gateway.backend.faults).toEqual([]);
    });
    // A fuzzer that only ever met the door has shown nothing; on a machine that is busy it may not get far.
    if (met.length > 200) expect(met).toEqual(expect.arrayContaining([200, 400, 401]));
  },
  fuzzTimeoutMs,
);
