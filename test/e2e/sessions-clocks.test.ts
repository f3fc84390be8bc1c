/**
 * Two gateways on one store, the clock of one ten minutes ahead of the other's, or behind: nobody is signed out, and nobody
 * who was is let in. Real processes, since libraries ask the clock of their process.
 */
import { type RealServer, startPostgres, startRedis } from '@valetkey/gateway/store/real-servers.suite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DrillGateways, startDrillGateways } from '../support/drill-gateways.ts';
import { callMcp, obtainTokens, postForm, refresh, type Tokens } from '../support/oauth-client.ts';

const apartSeconds = 600;
const accessTokenSeconds = 3600;
const checkSeconds = 300;
const config = { lifetimes: { accessTokenSeconds }, leaver: { checkSeconds } };
const both = [0, 1] as const;

describe.each([
  ['ahead', 'Redis', apartSeconds, startRedis],
  ['behind', 'PostgreSQL', -apartSeconds, startPostgres],
])('the second clock is ten minutes %s, on %s', (_direction, _store, seconds, startStore) => {
  let store: RealServer;
  let gateways: DrillGateways;
  const signedIn: (Tokens & { objectId: string; username: string })[] = [];
  beforeAll(async () => {
    store = await startStore();
    gateways = await startDrillGateways(store, 9, () => ({ config }));
    for (const person of gateways.people) {
      const tokens = await obtainTokens(gateways, person, { scope: 'who.ask' });
      signedIn.push({ ...tokens, objectId: person.objectId, username: person.username });
    }
    gateways.jumpOne(1, seconds);
  }, 120_000);
  afterAll(async () => {
    await gateways.close();
    await store.close();
  });

  const next = () => {
    const person = signedIn.shift();
    if (person === undefined) throw new Error('nobody is left');
    return person;
  };
  const at = (index: number) => ({ ...gateways, url: gateways.urlOf(index) });
  const callAt = async (index: number, token: unknown) => {
    const url = `${gateways.urlOf(index)}/who/mcp`;
    const response = await callMcp(url, String(token), 'tools/call', { name: 'who' });
    const text = await response.text();
    return response.status === 200 ? text : `${response.status}`;
  };
  const refreshAt = (index: number, { clientId }: Tokens, token: unknown) =>
    refresh(at(index), clientId, String(token));

  test('A57: calls and refreshes work at both, in turn, each for its own person', async () => {
    const person = next();
    for (const index of both) expect(await callAt(index, person.accessToken)).toContain(person.objectId);
    let token: unknown = person.refreshToken;
    for (const index of [0, 1, 1, 0, 1, 0]) {
      const { status, body } = await refreshAt(index, person, token);
      expect([index, status, JSON.stringify(body['error'])]).toEqual([index, 200, undefined]);
      token = body['refresh_token'];
      for (const other of both) expect(await callAt(other, body['access_token'])).toContain(person.objectId);
    }
  });

  test('A18 A55 A57: the same refresh, many times at both at once, is one pair', async () => {
    const person = next();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => refreshAt(index % 2, person, person.refreshToken)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body['refresh_token'])).size).toBe(1);
    expect((await refreshAt(1, person, answers[0]?.body['refresh_token'])).status).toBe(200);
  });

  test.each([
    [0, 1],
    [1, 0],
  ])(
    'A18 A50 A57: an answer of gateway %i that was lost is given again at gateway %i',
    async (one, other) => {
      const person = next();
      const lost = await refreshAt(one, person, person.refreshToken);
      const again = await refreshAt(other, person, person.refreshToken);
      expect(again.body['refresh_token']).toBe(lost.body['refresh_token']);
      expect(Number(again.body['expires_in'])).toBeLessThanOrEqual(accessTokenSeconds);
      expect((await refreshAt(one, person, again.body['refresh_token'])).status).toBe(200);
    },
  );

  test.each([
    [0, 1],
    [1, 0],
  ])(
    'A56 A57: who leaves is out, whichever gateway asked Entra last: asked at %i, called at %i',
    async (one, other) => {
      const person = next();
      const { body } = await refreshAt(one, person, person.refreshToken);
      expect(await callAt(other, body['access_token'])).toContain(person.objectId);
      gateways.emulator.control.disableUser(person.username);
      gateways.jump(checkSeconds + 1);
      expect(await callAt(other, body['access_token'])).toBe('401');
      expect((await refreshAt(other, person, body['refresh_token'])).body['error']).toBe('invalid_grant');
    },
  );

  test('A56 A57: a session that was ended is refused at both within a second, and as long as any token of it lives', async () => {
    const [ended, stays] = [next(), next()];
    // A token of the gateway that is ahead lives as much longer at the other one.
    const [ahead, behind] = seconds > 0 ? [1, 0] : [0, 1];
    const made = [];
    for (const person of [ended, stays]) made.push(await refreshAt(ahead, person, person.refreshToken));
    const [token, control] = made.map(({ body }) => body['access_token']);
    expect(await callAt(behind, token)).toContain(ended.objectId);
    const fields = { token: String(made[0]?.body['refresh_token']), client_id: ended.clientId };
    await postForm(`${gateways.urlOf(behind)}/revoke`, fields);
    for (const index of both)
      await expect.poll(() => callAt(index, token), { timeout: 1_000, interval: 20 }).toBe('401');
    gateways.jump(accessTokenSeconds + apartSeconds - 60);
    expect(await callAt(behind, control), 'a token of that moment is good').toContain(stays.objectId);
    for (const index of both) expect(await callAt(index, token)).toBe('401');
  });

  test('A57: the gateway whose clock is wrong says so, and signs people in when it is alone', async () => {
    expect(gateways.said()).toContain('the clock here differs from that of Entra');
    await gateways.kill(0);
    const health = async () => (await fetch(`${gateways.url}/healthz`)).status;
    await expect.poll(() => health().catch(() => 0)).toBe(200);
    const [person] = gateways.people;
    if (person === undefined) throw new Error('nobody');
    const tokens = await obtainTokens(gateways, person, { scope: 'who.ask' });
    expect(await callAt(1, tokens.accessToken)).toContain(person.objectId);
    expect((await refreshAt(1, tokens, tokens.refreshToken)).status).toBe(200);
  });
});
