/** Refreshing on two replicas, with lost answers and replicas that die half-way: nobody is signed out for nothing. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import {
  callMcp,
  type JsonAnswer,
  obtainTokens,
  postForm,
  refresh,
  type Tokens,
} from '../support/oauth-client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';

let product: Replicas;
beforeAll(async () => {
  product = await startReplicas();
});
afterEach(() => vi.useRealTimers());
afterAll(() => product.close());

const login = (): Promise<Tokens> => obtainTokens(product, product.person('reader'));
const works = async (token: unknown) => (await callMcp(product.mcpUrl, String(token), 'tools/list')).status;
/** In replicas whose window for lost answers closes after a second: no clock that is set closes it. */
const inShortWindow = async (work: (own: Replicas) => Promise<void>) => {
  const own = await startReplicas({ config: { lifetimes: { refreshReplaySeconds: 1 } } });
  try {
    await work(own);
  } finally {
    await own.close();
  }
};
const reuseAfterWindow = (own: Replicas, { clientId, refreshToken }: Tokens) =>
  expect
    .poll(() => refresh(own, clientId, refreshToken), { timeout: 10_000 })
    .toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
const tokensOf = ({ body }: JsonAnswer) => `${String(body['access_token'])} ${String(body['refresh_token'])}`;

test('A18 A28 A55 D21: 50 parallel refreshes of one token, on two replicas, are one family and no logout', async () => {
  const { clientId, refreshToken } = await login();
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => refresh(product, clientId, refreshToken)),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(answers.map(tokensOf)).size).toBe(1);
  const [first] = answers;
  expect(await works(first?.body['access_token'])).toBe(200);
  expect((await refresh(product, clientId, String(first?.body['refresh_token']))).status).toBe(200);
});

test('A18 A50 D26 D48: a lost answer is answered again, with what is left of its lifetime', async () => {
  const { clientId, refreshToken } = await login();
  const lost = await refresh(product, clientId, refreshToken);
  product.time.aheadMs += 20_000;
  const again = await refresh(product, clientId, refreshToken);
  expect(tokensOf(again)).toBe(tokensOf(lost));
  const left = Number(lost.body['expires_in']) - Number(again.body['expires_in']);
  expect(left).toBeGreaterThanOrEqual(19);
  expect(left).toBeLessThanOrEqual(22);
  expect(await works(again.body['access_token'])).toBe(200);
});

test.each(['entra.renewed', 'oauth.refresh-token'])(
  'A28 A57 D49: a store that fails in the middle of a refresh, at %s, is 503 and costs nobody the session',
  async (collection) => {
    const { clientId, refreshToken } = await login();
    product.store.failingPut = collection;
    const broken = await refresh(product, clientId, refreshToken);
    product.store.failingPut = undefined;
    expect(broken.status, JSON.stringify(broken.body)).toBe(503);
    expect(Number(broken.headers.get('retry-after'))).toBeGreaterThan(0);
    const again = await refresh(product, clientId, refreshToken);
    expect(again.status, JSON.stringify(again.body)).toBe(200);
    expect(await works(again.body['access_token'])).toBe(200);
  },
);

test('A18: a spent token stays spent, though the store fails while it is tried again', () =>
  inShortWindow(async (own) => {
    const tokens = await obtainTokens(own, own.person('reader'));
    await refresh(own, tokens.clientId, tokens.refreshToken);
    own.store.isDown = true;
    expect((await refresh(own, tokens.clientId, tokens.refreshToken)).status).toBe(503);
    own.store.isDown = false;
    await reuseAfterWindow(own, tokens);
  }));

test('A18: reuse after the window revokes the family, on every replica', () =>
  inShortWindow(async (own) => {
    const tokens = await obtainTokens(own, own.person('reader'));
    const { clientId, refreshToken, accessToken } = tokens;
    const client = await refresh(own, clientId, refreshToken);
    await reuseAfterWindow(own, tokens);
    expect((await refresh(own, clientId, String(client.body['refresh_token']))).status).toBe(400);
    for (const replica of ['0', '1']) {
      const status = async () =>
        (await callMcp(own.mcpUrl, accessToken, 'tools/list', {}, { 'x-replica': replica })).status;
      await expect.poll(status, { timeout: 1000, interval: 20 }).toBe(401);
    }
  }));

test('A18: within the window, reuse by whoever does not know that the successor is in use revokes the family', async () => {
  const { clientId, refreshToken } = await login();
  const client = await refresh(product, clientId, refreshToken);
  const next = await refresh(product, clientId, String(client.body['refresh_token']));
  expect(next.status).toBe(200);
  expect((await refresh(product, clientId, refreshToken)).body['error']).toBe('invalid_grant');
  expect((await refresh(product, clientId, String(next.body['refresh_token']))).status).toBe(400);
});

test('A18 A28: a replica that dies over a refresh signs nobody out: another one does it again, seconds later', async () => {
  const { clientId, refreshToken } = await login();
  // Spent, and answered to nobody: the process that did it is gone before it could keep its answer.
  product.store.failingReplace = 'oauth.refresh-turn';
  expect((await refresh(product, clientId, refreshToken)).status).toBe(503);
  product.store.failingReplace = undefined;
  const startedMs = performance.now();
  const again = await refresh(product, clientId, refreshToken);
  expect(again.status, JSON.stringify(again.body)).toBe(200);
  expect(performance.now() - startedMs, 'three seconds of silence, and not fifteen').toBeLessThan(10_000);
  expect(await works(again.body['access_token'])).toBe(200);
  expect((await refresh(product, clientId, String(again.body['refresh_token']))).status).toBe(200);
}, 20_000);

test('A18 A28: who cannot send the same request again, since each is signed anew, is not signed out by a replica that dies either', async () => {
  const { clientId, refreshToken } = await login();
  product.store.failingReplace = 'oauth.refresh-turn';
  expect((await refresh(product, clientId, refreshToken)).status).toBe(503);
  product.store.failingReplace = undefined;
  const another = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken };
  const again = await postForm(`${product.url}/token`, another);
  expect(again.status, JSON.stringify(again.body)).toBe(200);
  expect(await works(again.body['access_token'])).toBe(200);
  const replayed = await postForm(`${product.url}/token`, { ...another, resource: product.mcpUrl, x: '1' });
  expect(replayed.body['error'], 'a replay is one all the same').toBe('invalid_grant');
}, 20_000);

test('A18 A28: a replica that is only slow, and could not say so, neither spends the token twice nor ends the session', async () => {
  const { clientId, refreshToken } = await login();
  const { control } = product.emulator;
  // Its heartbeats are lost, and Entra takes longer than the other replica waits for one.
  Object.assign(product.store, { failingReplace: 'oauth.refresh-turn', failingOn: 0, lastCreated: '' });
  control.setFault({ endpoint: 'token' }, { kind: 'latency', latencyMs: 5_000 }, 1);
  const ask = (replica: string) => refresh(product, clientId, refreshToken, { 'x-replica': replica });
  const asking = ask('0');
  await expect.poll(() => product.store.lastCreated).toBe('entra.renewal-turn');
  const [slow, other] = await Promise.all([asking, ask('1')]);
  Object.assign(product.store, { failingReplace: undefined, failingOn: undefined });
  control.clearFaults();
  expect([slow.status, other.status]).toEqual([503, 200]);
  expect(await works(other.body['access_token'])).toBe(200);
  const next = await refresh(product, clientId, String(other.body['refresh_token']));
  expect(next.status, JSON.stringify(next.body)).toBe(200);
}, 20_000);

test(
  'A18 A28 A57: a token that was spent when the store went away is good when it comes back, a day later too',
  () =>
    inShortWindow(async (own) => {
      const { clientId, refreshToken } = await obtainTokens(own, own.person('reader'));
      own.store.failingReplace = 'oauth.refresh-turn';
      expect((await refresh(own, clientId, refreshToken)).status).toBe(503);
      own.store.isDown = true;
      expect((await refresh(own, clientId, refreshToken)).status).toBe(503);
      const day = 24 * 3600;
      own.time.aheadMs += day * 1000;
      own.emulator.control.advanceClock(day);
      own.store.isDown = false;
      own.store.failingReplace = undefined;
      const again = await refresh(own, clientId, refreshToken);
      expect(again.status, JSON.stringify(again.body)).toBe(200);
      expect((await refresh(own, clientId, String(again.body['refresh_token']))).status).toBe(200);
    }),
  20_000,
);

test('A31 A50: a refresh token slides with its use, and ends with the sign-in however often it is used', async () => {
  const own = await startReplicas();
  const { clientId, refreshToken } = await obtainTokens(own, own.person('reader'));
  const { refreshTokenSeconds, sessionSeconds } = own.config.lifetimes;
  // The date of the whole process: gateway, emulator and libraries go along.
  vi.useFakeTimers({ toFake: ['Date'] });
  const pass = (seconds: number) => {
    vi.setSystemTime(Date.now() + seconds * 1000);
    own.emulator.control.advanceClock(seconds);
  };
  let latest = refreshToken;
  let passed = 0;
  while (passed + refreshTokenSeconds < sessionSeconds) {
    pass(refreshTokenSeconds - 3600);
    passed += refreshTokenSeconds - 3600;
    const renewed = await refresh(own, clientId, latest);
    expect([passed, renewed.status]).toEqual([passed, 200]);
    latest = String(renewed.body['refresh_token']);
  }
  pass(sessionSeconds - passed + 60);
  expect((await refresh(own, clientId, latest)).body['error']).toBe('invalid_grant');
  // The registration is still there: the client signs in again with it.
  expect((await obtainTokens(own, own.person('reader'), { clientId })).clientId).toBe(clientId);
  await own.close();
});

test('A28 D22 D31: neither database nor its log holds a token, an address or a name in clear', async () => {
  const { clientId, refreshToken, accessToken } = await login();
  const renewed = await refresh(product, clientId, refreshToken);
  const files = ['valetkey.db', 'valetkey.db-wal'].map((name) => readFile(join(product.directory, name)));
  const bytes = Buffer.concat(await Promise.all(files)).toString('latin1');
  expect(bytes.length).toBeGreaterThan(10_000);
  const { username } = product.person('reader');
  const secrets = [clientId, refreshToken, accessToken, username, 'Rita', 'Test client', 'eyJ'];
  for (const secret of [...secrets, ...tokensOf(renewed).split(' ')])
    expect(bytes.includes(secret), secret.slice(0, 12)).toBe(false);
});
