/** The control plane over HTTP, through its client, and what web pages and strangers get. */
import http from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { signInForTokens } from './browser.suite.ts';
import { createControlClient, type RemoteControl } from './control-client.ts';
import { CONTROL_PATH, commands } from './control-commands.ts';
import { createEmulator, type Emulator, GATEWAY_CLIENT_ID, GATEWAY_CLIENT_SECRET } from './emulator.ts';

const RITA = 'rita@contoso.example';
let emulator: Emulator;
let client: RemoteControl;

beforeAll(async () => {
  emulator = await createEmulator();
  client = createControlClient({ origin: emulator.httpOrigin, token: emulator.controlToken });
});
beforeEach(() => emulator.control.reset());
afterAll(() => emulator.close());

const authorized = () => ({ authorization: `Bearer ${emulator.controlToken}` });
const post = (name: string, headers: Record<string, string>, body?: string) =>
  fetch(emulator.httpOrigin + CONTROL_PATH + name, {
    method: 'POST',
    headers,
    ...(body === undefined ? {} : { body }),
  });

test('every function of the in-process control plane is there', () => {
  expect(Object.keys(client).toSorted()).toEqual(Object.keys(emulator.control).toSorted());
  expect(Object.keys(commands).toSorted()).toEqual(Object.keys(emulator.control).toSorted());
});

test('arguments and answers arrive as in process', async () => {
  await client.disableUser(RITA);
  await client.setRoles('walt@contoso.example', ['Snippets.Admin']);
  await client.addSecret(GATEWAY_CLIENT_ID, 'second');
  await client.addRedirectUri(GATEWAY_CLIENT_ID, 'https://a.example/cb', 'spa');
  await client.setFault({ endpoint: 'token' }, { kind: 'throttle', retryAfterSeconds: 3 }, 2);
  await client.setAccessTokenLifetime(60);
  await client.setAccessTokenLifetime(undefined);
  await client.rotateKeys();
  await client.freezeClock(1_900_000_000_000);
  await client.advanceClock(5);
  expect((await client.clock()).nowMs).toBe(1_900_000_005_000);
  expect(await client.faults()).toEqual([
    { match: { endpoint: 'token' }, fault: { kind: 'throttle', retryAfterSeconds: 3 }, times: 2 },
  ]);
  expect(await client.tenants()).toEqual(JSON.parse(JSON.stringify(emulator.control.tenants())));
  expect((await client.tenants())[0]?.users.find((each) => each.username === RITA)?.enabled).toBe(false);
  expect(await client.createManagedIdentityToken('p', 'a')).toMatch(/^ey/);
});

test('a snapshot larger than any request of an app travels both ways', async () => {
  await signInForTokens(emulator, 'openid offline_access');
  emulator.control.setGroups(
    RITA,
    Array.from({ length: 3_000 }, (_, index) => `70000000-0000-4000-8000-${String(index).padStart(12, '0')}`),
  );
  const snapshot = await client.snapshot();
  expect(JSON.stringify(snapshot).length).toBeGreaterThan(100_000);
  await client.disableUser(RITA);
  await client.restore(snapshot);
  expect((await client.tenants())[0]?.users.find((each) => each.username === RITA)).toMatchObject({
    enabled: true,
    groupCount: 3_000,
  });
});

test('the log comes in pages, all of it or what is asked for', async () => {
  for (let index = 0; index < 7; index += 1) await fetch(`${emulator.httpOrigin}/common/discovery/keys`);
  const all = await client.requestLog();
  expect(all).toHaveLength(7);
  expect(await client.requestLog({ since: all[2]?.sequence ?? 0, limit: 2 })).toEqual(all.slice(3, 5));
  // What steers the emulator is not in the log.
  expect(all.every((entry) => entry.path === '/common/discovery/keys')).toBe(true);
});

test('it throws what the in-process one throws', async () => {
  await expect(client.disableUser('nobody@contoso.example')).rejects.toThrow(RangeError);
  await expect(client.addRedirectUri(GATEWAY_CLIENT_ID, 'javascript:alert(1)')).rejects.toThrow(TypeError);
  await expect(client.restore({} as never)).rejects.toThrow(TypeError);
  await expect(client.setFault({}, { kind: 'nonsense' } as never)).rejects.toThrow(/\$\.fault\.kind/);
  await expect(client.setGroups(RITA, ['x'])).rejects.toThrow(/\$\.groups\[0\] is not a GUID/);
});

test('CVE-2025-49596: without the token, or from a web page, nothing is read or done', async () => {
  const wrong = createControlClient({ origin: emulator.httpOrigin, token: 'x'.repeat(43) });
  await expect(wrong.reset()).rejects.toThrow(/control token/);
  expect((await post('reset', {})).status).toBe(401);
  expect((await post('reset', { authorization: `Basic ${emulator.controlToken}` })).status).toBe(401);
  for (const origin of ['https://evil.example', 'null', 'http://localhost:1', emulator.httpsOrigin]) {
    expect((await post('reset', { ...authorized(), origin })).status, origin).toBe(403);
  }
  expect((await post('reset', { ...authorized(), 'sec-fetch-site': 'same-site' })).status).toBe(403);
  expect((await post('reset', { ...authorized(), origin: emulator.httpOrigin })).status).toBe(200);
  const rebound = await new Promise((resolve, reject) => {
    const options = { method: 'POST', agent: false, headers: { host: 'rebound.example', ...authorized() } };
    http
      .request(`${emulator.httpOrigin}${CONTROL_PATH}reset`, options, (response) =>
        resolve(response.statusCode),
      )
      .on('error', reject)
      .end();
  });
  expect(rebound).toBe(400);
  const answer = await post('tenants', authorized());
  expect(answer.headers.get('access-control-allow-origin')).toBeNull();
});

test('a body is JSON with known names, and long only with the token', async () => {
  const json = { ...authorized(), 'content-type': 'application/json' };
  expect((await post('disableUser', { ...authorized(), 'content-type': 'text/plain' }, '{}')).status).toBe(
    415,
  );
  expect((await post('disableUser', json, 'nonsense')).status).toBe(400);
  expect((await post('disableUser', json, '[]')).status).toBe(400);
  expect((await post('disableUser', json, '{"username":"rita@contoso.example","x":1}')).status).toBe(400);
  expect((await post('__proto__', json, '{}')).status).toBe(404);
  expect((await post('constructor', json, '{}')).status).toBe(404);
  const long = `{"snapshot":"${'x'.repeat(100_000)}"}`;
  expect((await post('restore', json, long)).status).toBe(400);
  expect((await post('restore', { 'content-type': 'application/json' }, long)).status).toBe(413);
  expect(
    (await fetch(emulator.httpOrigin + CONTROL_PATH + 'tenants', { headers: authorized() })).status,
  ).toBe(405);
});

test('the token goes to this machine only, and one that can be guessed is refused', async () => {
  expect(() => createControlClient({ origin: 'http://emulator.example', token: 'x' })).toThrow(RangeError);
  await expect(createEmulator({ controlToken: 'short' })).rejects.toThrow(RangeError);
  const own = await createEmulator({ controlToken: 'a-token-of-my-own' });
  const remote = createControlClient({ origin: own.httpOrigin, token: 'a-token-of-my-own' });
  expect(await remote.requestLog()).toEqual([]);
  await own.close();
});

test('no refusal repeats the token, and the overview no secret', async () => {
  const answers = await Promise.all([post('tenants', authorized()), post('nothing', authorized())]);
  const texts = await Promise.all(answers.map((answer) => answer.text()));
  for (const text of texts) {
    expect(text).not.toContain(emulator.controlToken);
    expect(text).not.toContain(GATEWAY_CLIENT_SECRET);
  }
});
