/** Keys change under a running product: nobody is signed out, nothing is restarted, and the old key goes when it seals nothing. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { callMcp, obtainTokens, refresh } from '../support/oauth-client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';

let product: Replicas;
beforeAll(async () => {
  product = await startReplicas();
});
afterEach(() => vi.useRealTimers());
afterAll(() => product.close());

const call = async (token: unknown, replica: string) =>
  (await callMcp(product.mcpUrl, String(token), 'tools/list', {}, { 'x-replica': replica })).status;
const kidOf = (token: unknown) =>
  (JSON.parse(Buffer.from(String(token).split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;
const publishedKids = async (replica: string) => {
  const answer = await fetch(`${product.url}/jwks`, { headers: { 'x-replica': replica } });
  return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
};
const value = <Value>(
  result: { ok: true; value: Value } | { ok: false; error: { problem: string } },
): Value => {
  if (!result.ok) throw new Error(result.error.problem);
  return result.value;
};

test('A28 D59: rotation with live sessions on two replicas, without a restart, and the old key goes at last', async () => {
  const before = await obtainTokens(product, product.person('reader'));
  const [signing] = await publishedKids('0');

  const staged = value(await product.administer(({ keys }) => keys.stage()));
  for (const replica of ['0', '1'])
    await expect.poll(() => publishedKids(replica), { timeout: 5000 }).toHaveLength(2);
  expect((await publishedKids('0'))[0]).toBe(signing);
  const used = value(await product.administer(({ keys }) => keys.use()));
  expect(used).toBe(staged);
  for (const replica of ['0', '1']) {
    const first = async () => (await publishedKids(replica))[0];
    await expect.poll(first, { timeout: 5000 }).not.toBe(signing);
    expect(await publishedKids(replica)).toContain(signing);
  }

  // Tokens of before are good, calls reach the backend with identities signed anew, and what is new has the new key.
  expect([await call(before.accessToken, '0'), await call(before.accessToken, '1')]).toEqual([200, 200]);
  const renewed = await refresh(product, before.clientId, before.refreshToken);
  expect(renewed.status).toBe(200);
  expect(kidOf(renewed.body['access_token'])).toBe(used);
  expect(kidOf(before.accessToken)).not.toBe(used);

  const early = await product.administer(({ keys }) => keys.prune());
  expect(early).toMatchObject({ ok: false, error: { problem: expect.stringContaining('still in use') } });
  const oldRecords = async () =>
    value(await product.administer(({ keys }) => keys.list())).find(({ isCurrent }) => !isCurrent)?.records;
  await expect.poll(oldRecords, { timeout: 20_000 }).toBe(0);

  vi.useFakeTimers({ toFake: ['Date'] });
  const seconds = product.config.lifetimes.accessTokenSeconds + 1;
  vi.setSystemTime(Date.now() + seconds * 1000);
  product.emulator.control.advanceClock(seconds);
  const removed = value(await product.administer(({ keys }) => keys.prune()));
  expect(removed).toEqual([kidOf(before.accessToken)]);
  const file = JSON.parse(await readFile(join(product.directory, 'keys.json'), 'utf8')) as {
    keys: unknown[];
  };
  expect(file.keys).toHaveLength(1);
  const after = await refresh(product, before.clientId, String(renewed.body['refresh_token']));
  expect(after.status).toBe(200);
  expect([await call(after.body['access_token'], '0'), await call(after.body['access_token'], '1')]).toEqual([
    200, 200,
  ]);
});
