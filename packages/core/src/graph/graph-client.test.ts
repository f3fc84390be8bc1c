import { expect, test } from 'vitest';
import { Secret } from '../base/secret.ts';
import { createGraphClient, type GraphClientOptions, type GraphFetchInit } from './graph-client.ts';
import { getProfile } from './profile.ts';

const rita = { person: 't.rita', token: new Secret('token-of-rita') };
const walt = { person: 't.walt', token: new Secret('token-of-walt') };

interface Planned {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** A Graph that answers as planned, the last answer for ever, and a clock that only waiting moves. */
function createWorld(planned: Planned[], options: Partial<GraphClientOptions> = {}) {
  const sent: { url: string; init: GraphFetchInit }[] = [];
  const waits: number[] = [];
  const time = { nowMs: 0 };
  const graph = createGraphClient({
    origin: 'https://graph.microsoft.com',
    fetch: async (url, init) => {
      sent.push({ url, init });
      const next = planned.length > 1 ? planned.shift() : planned[0];
      const { status = 200, body = {}, headers = {} } = next ?? {};
      return {
        status,
        headers: { get: (name) => headers[name] ?? null },
        text: async () => JSON.stringify(body),
      };
    },
    clock: { nowMs: () => time.nowMs },
    random: (size) => new Uint8Array(size),
    wait: async (ms) => {
      waits.push(ms);
      time.nowMs += ms;
    },
    ...options,
  });
  return { graph, sent, waits, time };
}

test('A26: 429 and 503 are waited out as told, else with growing pauses', async () => {
  const throttled = { status: 429, headers: { 'retry-after': '4' } };
  const { graph, waits, sent } = createWorld([
    throttled,
    { status: 503 },
    { status: 504 },
    { body: { id: '1' } },
  ]);
  expect(await graph.request(rita, { path: '/me' })).toEqual({ ok: true, value: { id: '1' } });
  expect(waits).toEqual([4000, 500, 1000]);
  expect(sent.map(({ init }) => init.headers['retry-attempt'])).toEqual([undefined, '1', '2', '3']);
});

test('A26: what does not end is a retryable refusal, with the time that Graph named', async () => {
  const { graph, sent } = createWorld([{ status: 429, headers: { 'retry-after': '2' } }]);
  const result = await graph.request(rita, { path: '/me' });
  expect(result).toMatchObject({
    ok: false,
    error: { kind: 'throttled', isRetryable: true, retryAfterSeconds: 2 },
  });
  expect(sent).toHaveLength(4);
});

test('A26: a pause that is too long is handed on at once', async () => {
  const { graph, sent, waits } = createWorld([{ status: 503, headers: { 'retry-after': '3600' } }]);
  expect(await graph.request(rita, { path: '/me' })).toMatchObject({ error: { retryAfterSeconds: 3600 } });
  expect([sent.length, waits.length]).toEqual([1, 0]);
});

test('a request that may have been done is not repeated, one that was throttled is', async () => {
  const post = { method: 'POST', path: '/me/sendMail', body: {} } as const;
  const outage = createWorld([{ status: 503 }]);
  await outage.graph.request(rita, post);
  expect(outage.sent).toHaveLength(1);
  const throttle = createWorld([{ status: 429 }, { status: 202 }]);
  expect(await throttle.graph.request(rita, post)).toMatchObject({ ok: true });
  expect(throttle.sent).toHaveLength(2);
});

test('a connection that breaks is waited out too, and says nothing of the URL', async () => {
  const broken = createWorld([], {
    fetch: () => Promise.reject(new Error('connect https://graph…/me?secret')),
  });
  const result = await broken.graph.request(rita, { path: '/me' });
  expect(result).toMatchObject({ error: { kind: 'unavailable', isRetryable: true } });
  expect(JSON.stringify(result)).not.toContain('secret');
  expect(broken.waits).toHaveLength(3);
});

test('a caller that gives up is not waited for', async () => {
  const abort = new AbortController();
  const { graph } = createWorld([{ status: 503 }], {
    wait: async () => {
      abort.abort();
      abort.signal.throwIfAborted();
    },
  });
  const result = await graph.request(rita, { path: '/me', signal: abort.signal });
  expect(result).toMatchObject({ error: { kind: 'cancelled' } });
});

test.each([
  ['another host', 'https://graph.microsoft.com.attacker.example/v1.0/me'],
  ['plain http', 'http://graph.microsoft.com/v1.0/me'],
  ['a user before the host', 'https://graph.microsoft.com@attacker.example/v1.0/me'],
  ['a user at the right host', 'https://a:b@graph.microsoft.com/v1.0/me'],
  ['another port', 'https://graph.microsoft.com:8443/v1.0/me'],
  ['a path that climbs out', '/../../beta/me'],
  ['another API of the host', 'https://graph.microsoft.com/oidc/userinfo'],
  ['no URL', 'attacker.example'],
])('A9: %s gets no token, nothing is sent', async (_name, path) => {
  const { graph, sent } = createWorld([{}]);
  expect(await graph.request(rita, { path })).toMatchObject({ ok: false, error: { kind: 'host' } });
  expect(sent).toEqual([]);
});

test.each([
  ['/me', 'https://graph.microsoft.com/v1.0/me'],
  ['//attacker.example/me', 'https://graph.microsoft.com/v1.0//attacker.example/me'],
  ['https://graph.microsoft.us/v1.0/me?$skiptoken=x', 'https://graph.microsoft.us/v1.0/me?$skiptoken=x'],
])('A9: %s stays at Graph', async (path, url) => {
  const { graph, sent } = createWorld([{}]);
  await graph.request(rita, { path });
  expect(sent[0]?.url).toBe(url);
  expect(sent[0]?.init).toMatchObject({
    redirect: 'manual',
    headers: { authorization: 'Bearer token-of-rita' },
  });
});

test('A9: a client for a host that is on no list is not made', () => {
  const make =
    (origin: string, allowOrigins: string[] = []) =>
    () =>
      createWorld([], { origin, allowOrigins });
  expect(make('https://graph.example')).toThrow(RangeError);
  expect(make('https://graph.example', ['https://graph.example/path'])).toThrow(RangeError);
  expect(make('http://graph.example', ['http://graph.example'])).toThrow(RangeError);
  expect(make('https://localhost:8443', ['https://localhost:8443'])).not.toThrow();
});

test('A9: a header of the request cannot stand in for the token', async () => {
  const { graph, sent } = createWorld([{}]);
  await graph.request(rita, { path: '/me', headers: { authorization: 'Bearer other' } });
  expect(sent[0]?.init.headers['authorization']).toBe('Bearer token-of-rita');
});

test('A27: what is remembered is remembered for one person, and for its time', async () => {
  const { graph, sent, time } = createWorld([
    { body: { id: 'rita' } },
    { body: { id: 'walt' } },
    { body: { id: 'new' } },
  ]);
  const ask = (caller: typeof rita) => getProfile(graph, caller, { select: ['id'], cacheSeconds: 60 });
  expect(await ask(rita)).toEqual({ ok: true, value: { id: 'rita' } });
  expect(await ask(walt)).toEqual({ ok: true, value: { id: 'walt' } });
  expect(await ask(rita)).toEqual({ ok: true, value: { id: 'rita' } });
  expect(sent).toHaveLength(2);
  time.nowMs += 60_000;
  expect(await ask(rita)).toEqual({ ok: true, value: { id: 'new' } });
});

test('A27: nothing is remembered unasked, no refusal ever, and nothing after the person has gone', async () => {
  const { graph, sent } = createWorld([
    {},
    {},
    { status: 403 },
    { body: { id: '1' } },
    { body: { id: '2' } },
  ]);
  await graph.request(rita, { path: '/me' });
  await graph.request(rita, { path: '/me' });
  const cached = { path: '/me', cacheSeconds: 60 };
  expect(await graph.request(rita, cached)).toMatchObject({ ok: false });
  expect(await graph.request(rita, cached)).toMatchObject({ value: { id: '1' } });
  graph.forget(rita.person);
  expect(await graph.request(rita, cached)).toMatchObject({ value: { id: '2' } });
  expect(sent).toHaveLength(5);
});

test('A27: a person whose token Graph refuses sees nothing out of the memory', async () => {
  const { graph } = createWorld([{ body: { id: '1' } }, { status: 401 }, { status: 401 }]);
  const cached = { path: '/me', cacheSeconds: 60 };
  await graph.request(rita, cached);
  await graph.request(rita, { path: '/me/other' });
  expect(await graph.request(rita, cached)).toMatchObject({ error: { kind: 'token' } });
});

test('A27: an answer that was on its way when the person left is not kept', async () => {
  const gate = Promise.withResolvers<void>();
  const answers = [1, 2];
  const { graph } = createWorld([], {
    fetch: async () => {
      const id = answers.shift();
      if (id === 1) await gate.promise;
      return { status: 200, headers: { get: () => null }, text: async () => JSON.stringify({ id }) };
    },
  });
  const cached = { path: '/me', cacheSeconds: 60 };
  const first = graph.request(rita, cached);
  graph.forget(rita.person);
  gate.resolve();
  await first;
  expect(await graph.request(rita, cached)).toMatchObject({ value: { id: 2 } });
});

test('A27: the memory is bounded, and what is in it cannot be changed', async () => {
  const { graph, sent } = createWorld([{ body: { list: ['a'] } }], { maxCached: 2 });
  const ask = (path: string) => graph.request(rita, { path, cacheSeconds: 60 });
  const first = await ask('/1');
  expect(() => (first as { value: { list: string[] } }).value.list.push('b')).toThrow(TypeError);
  await ask('/2');
  await ask('/3');
  await ask('/1');
  expect(sent).toHaveLength(4);
});

test('D13: only the fields that were asked for come out of /me', async () => {
  const body = { id: '1', displayName: 'Rita', mobilePhone: '+1', '@odata.context': 'x', mail: 7 };
  const { graph, sent } = createWorld([{ body }]);
  const profile = await getProfile(graph, rita, { select: ['id', 'mail'] });
  expect(profile).toEqual({ ok: true, value: { id: '1', mail: null } });
  expect(sent[0]?.url).toBe('https://graph.microsoft.com/v1.0/me?$select=id,mail');
});
