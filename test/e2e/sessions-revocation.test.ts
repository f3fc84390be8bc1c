/** A session that ends, ends everywhere: on every replica, within a second, in open streams, and without a store read per call. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens, postForm, refresh } from '../support/oauth-client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { openEventStream } from '../support/event-stream.ts';

let product: Replicas;
beforeAll(async () => {
  product = await startReplicas();
});
afterAll(() => product.close());

const call = async (token: string, replica: 0 | 1) => {
  const answer = await callMcp(product.mcpUrl, token, 'tools/list', {}, { 'x-replica': String(replica) });
  await answer.arrayBuffer();
  return answer.status;
};

/** Calls until the answer is 401. @returns after how many milliseconds that was. */
async function measureRefusal(token: string, replica: 0 | 1): Promise<number> {
  const startedMs = performance.now();
  // A call that is under way at that moment is answered as a stream here, and cut.
  while ((await call(token, replica).catch(() => 'cut')) !== 401) {
    if (performance.now() - startedMs > 5000) throw new Error('never refused');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return performance.now() - startedMs;
}

test('A56 D22 D31: every step of a sign-in on another replica, and a revocation is heard on both within a second', async () => {
  const took: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const { accessToken, clientId, refreshToken } = await obtainTokens(product, product.person('reader'));
    expect([await call(accessToken, 0), await call(accessToken, 1)]).toEqual([200, 200]);
    await fetch(`${product.url}/revoke`, {
      method: 'POST',
      headers: { 'x-replica': '0' },
      body: new URLSearchParams({ token: refreshToken, client_id: clientId }),
    });
    expect(await call(accessToken, 0)).toBe(401);
    took.push(await measureRefusal(accessToken, 1));
    expect((await refresh(product, clientId, refreshToken)).status).toBe(400);
  }
  process.stdout.write(
    `revocation on one replica to refusal on the other: ${took.map((ms) => Math.round(ms)).join(', ')} ms\n`,
  );
  expect(Math.max(...took)).toBeLessThan(1000);
});

test('A56: a thousand calls do not read the store: only the feed does, twice a second', async () => {
  const { accessToken } = await obtainTokens(product, product.person('reader'));
  await call(accessToken, 0);
  await call(accessToken, 1);
  const before = product.store.reads;
  const startedMs = performance.now();
  for (let batch = 0; batch < 20; batch += 1) {
    const answers = Array.from({ length: 50 }, (_, index) => call(accessToken, (index % 2) as 0 | 1));
    expect(new Set(await Promise.all(answers))).toEqual(new Set([200]));
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const reads = product.store.reads - before;
  // Two looks a second and replica are the feed's, however many calls there are.
  const polls = Math.ceil(seconds * 2 + 1) * 2;
  process.stdout.write(
    `1000 calls in ${seconds.toFixed(1)} s: ${reads} store reads, of which the feed's ${polls} at most\n`,
  );
  expect(reads).toBeLessThanOrEqual(polls + 2);
});

test('A56 A50: open streams are cut with their session, and audited; those of others go on', async () => {
  const one = await obtainTokens(product, product.person('reader'));
  const other = await obtainTokens(product, product.person('writer'));
  const cut = await openEventStream(product.mcpUrl, one.accessToken, { 'x-replica': '1' });
  const kept = await openEventStream(product.mcpUrl, other.accessToken, { 'x-replica': '1' });
  const startedMs = performance.now();
  const revoked = await product.administer(({ sessions }) =>
    sessions.revoke({ person: 'rita@contoso.example', client: one.clientId }),
  );
  expect(revoked).toHaveLength(1);
  await cut.ended;
  expect(performance.now() - startedMs).toBeLessThan(1500);
  expect(kept.isOpen()).toBe(true);
  kept.close();
  const reasons = async () =>
    (await product.readAudit()).map(({ event, reason }) => `${String(event)} ${String(reason)}`);
  await expect.poll(reasons, { timeout: 3000 }).toContain('access.denied session_ended');
  expect(await reasons()).toContain('session.revoke operator');
});

test('A40: consents are listed and taken back; the sessions go on', async () => {
  const { accessToken } = await obtainTokens(product, product.person('admin'));
  const listed = await product.administer(({ sessions }) => sessions.list({ person: 'ada@contoso.example' }));
  expect(listed.map(({ username }) => username)).toEqual(['ada@contoso.example']);
  const consents = await product.administer((each) =>
    each.consents.revoke({ person: 'ada@contoso.example' }),
  );
  expect(await product.administer((each) => each.consents.list({ person: 'ada@contoso.example' }))).toEqual(
    [],
  );
  expect(Array.isArray(consents)).toBe(true);
  expect(await call(accessToken, 0)).toBe(200);
});

test('A56: while the store is away valid tokens work on for a while, then calls are 503; new sign-ins are 503 at once', async () => {
  const { accessToken, clientId, refreshToken } = await obtainTokens(product, product.person('reader'));
  product.store.isDown = true;
  expect([await call(accessToken, 0), await call(accessToken, 1)]).toEqual([200, 200]);
  const asked = await fetch(`${product.url}/authorize?client_id=${clientId}`, { redirect: 'manual' });
  expect([asked.status, asked.headers.get('retry-after')]).toEqual([503, '5']);
  const refused = await refresh(product, clientId, refreshToken);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  const registered = await postForm(`${product.url}/revoke`, { token: refreshToken, client_id: clientId });
  expect(registered.status).toBe(503);

  product.time.monotonicAheadMs += (product.config.lifetimes.storeOutageSeconds + 1) * 1000;
  const late = await callMcp(product.mcpUrl, accessToken, 'tools/list');
  expect([late.status, late.headers.get('retry-after')]).toEqual([503, '5']);
  product.store.isDown = false;
  await expect.poll(() => call(accessToken, 0), { timeout: 3000 }).toBe(200);
  await expect.poll(() => call(accessToken, 1), { timeout: 3000 }).toBe(200);
  expect((await refresh(product, clientId, refreshToken)).status).toBe(200);
});

test.each([
  [true, 'is cut'],
  [false, 'goes on'],
])('A50: with cutAtExpiry %s a stream whose token has expired %s', async (cutAtExpiry, _what) => {
  const own = await startReplicas({ config: { streams: { cutAtExpiry } } });
  const { accessToken } = await obtainTokens(own, own.person('reader'));
  const stream = await openEventStream(own.mcpUrl, accessToken);
  own.time.aheadMs += (own.config.lifetimes.accessTokenSeconds + 1) * 1000;
  if (cutAtExpiry) await stream.ended;
  else await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(stream.isOpen()).toBe(!cutAtExpiry);
  stream.close();
  await own.close();
});
