import { ok } from '@valetkey/core/base/result';
import { afterEach, expect, test } from 'vitest';
import type { BackendConfig } from '../../config/config.ts';
import { startLegacyServer, startSseWorld } from './sse-backend.suite.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

type ServerOptions = Parameters<typeof startLegacyServer>[0];

async function open(server: ServerOptions = {}, changes: Partial<BackendConfig> = {}) {
  const legacy = await startLegacyServer(server);
  closers.push(legacy.close);
  const world = await startSseWorld(legacy.url, changes);
  closers.push(world.close);
  const begin = async (person = 'anna', signIn = '') => {
    const who = { 'x-test-person': person, 'x-test-sign-in': signIn };
    const answer = await world.post(message('initialize', 0), who);
    await answer.text();
    return { ...who, 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' };
  };
  return { ...world, legacy, begin };
}

const message = (method: string, id: unknown = 1, params: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});

test('A51 A52 A53: a session is a stream of its own, and each message carries what the gateway vouches for', async () => {
  const { legacy, begin, post } = await open();
  const session = await begin();
  expect(session['mcp-session-id']).toMatch(/^[\w-]{22}$/);
  const forged = {
    authorization: 'Bearer the-clients',
    'x-valetkey-object-id': 'admin',
    'x-backend-key': 'mine',
  };
  const answer = await post(message('tools/list', 5), { ...session, ...forged, 'mcp-param-region': 'EU' });
  expect([answer.status, await answer.json()]).toMatchObject([
    200,
    { id: 5, result: { echo: { method: 'tools/list' } } },
  ]);
  expect(legacy.arrived.map(({ method, url }) => `${method} ${url}`)).toEqual([
    'GET /sse',
    'POST /message?sessionId=s1',
    'POST /message?sessionId=s1',
  ]);
  for (const { headers } of legacy.arrived) {
    expect(headers).toMatchObject({ 'x-backend-key': 'backend-key', 'x-valetkey-object-id': 'anna' });
    expect(headers['x-valetkey-identity']?.toString().split('.')).toHaveLength(3);
    expect(JSON.stringify(headers)).not.toMatch(/the-clients|admin|mine|mcp-session-id/);
  }
  expect(legacy.arrived[0]?.headers['accept']).toBe('text/event-stream');
  expect(legacy.arrived[2]?.headers['mcp-param-region']).toBe('EU');
});

test('A54: what comes before the answer makes a stream of it', async () => {
  const { legacy, begin, post } = await open();
  const session = await begin();
  const held = post(message('hold', 7), session);
  await expect.poll(() => legacy.arrived.at(-1)?.body).toContain('hold');
  legacy.say({ method: 'notifications/message', params: { data: 'x' } });
  const answer = await held;
  expect(answer.headers.get('content-type')).toBe('text/event-stream');
  legacy.say({ id: 7, result: {} });
  expect(await answer.text()).toBe(
    'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":"x"}}\n\n' +
      'event: message\ndata: {"jsonrpc":"2.0","id":7,"result":{}}\n\n',
  );
});

test('D61 D14: sessions of two people do not mix, though the backend uses the same ids', async () => {
  const { legacy, begin, post } = await open();
  const [anna, ben] = [await begin('anna'), await begin('ben')];
  const asked = [post(message('hold', 1), anna), post(message('hold', 1), ben)];
  await expect.poll(() => legacy.arrived.filter(({ body }) => body.includes('hold'))).toHaveLength(2);
  legacy.say({ id: 1, result: { for: 'anna' } }, 0);
  legacy.say({ id: 1, result: { for: 'ben' } }, 1);
  const [ofAnna, ofBen] = await Promise.all(asked.map(async (answer) => (await answer).json()));
  expect([ofAnna, ofBen]).toMatchObject([{ result: { for: 'anna' } }, { result: { for: 'ben' } }]);
  const stolen = await post(message('tools/list'), { ...anna, 'x-test-person': 'ben' });
  expect(await stolen.text()).toBe('unknown_session');
});

test.each([
  ['another host', () => 'http://169.254.169.254/metadata'],
  ['another port of this host', () => 'http://127.0.0.1:1/message'],
  ['another scheme', (url: string) => `${url.replace('http:', 'https:')}/message`],
  ['no address', () => 'http://'],
])('CVE-2026-26118: a backend that names %s for its messages is not used', async (_case, endpoint) => {
  const { legacy, post, logged } = await open({ endpoint });
  expect(await (await post(message('initialize'))).text()).toBe('unusable_answer');
  expect(legacy.arrived.map(({ method }) => method)).toEqual(['GET']);
  await expect.poll(() => legacy.streams[0]?.closed).toBe(true);
  expect(JSON.stringify(logged)).not.toContain('169.254');
});

test('a backend may name the whole address, on its own server', async () => {
  const { legacy, begin } = await open({ endpoint: (url) => `${url}/messages/?s=1` });
  await begin();
  expect(legacy.arrived.at(-1)?.url).toBe('/messages/?s=1');
});

test('a refused credential is tried once more as another one, for the stream and for messages', async () => {
  const accepted = { key: 'second' };
  const legacy = await startLegacyServer({
    status: (_method, headers) => (headers['x-key'] === accepted.key ? 0 : 401),
  });
  const shown = { now: 'first' };
  const world = await startSseWorld(
    legacy.url,
    {},
    {
      headerNames: ['x-key'],
      headersFor: () => ok({ 'x-key': shown.now }),
      renewed: async () => ok({ 'x-key': (shown.now = accepted.key) }),
      close: async () => {},
    },
  );
  closers.push(legacy.close, world.close);
  const answer = await world.post(message('initialize', 1));
  expect(await answer.json()).toMatchObject({ id: 1, result: {} });
  accepted.key = 'third';
  const session = { 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' };
  expect(await (await world.post(message('tools/list', 2), session)).json()).toMatchObject({
    id: 2,
    result: {},
  });
  expect(legacy.arrived.map(({ method, headers }) => `${method} ${String(headers['x-key'])}`)).toEqual([
    'GET first',
    'GET second',
    'POST second',
    'POST second',
    'POST third',
  ]);
});

test.each([
  [401, 'credential_refused'],
  [404, 'unknown_session'],
  [307, 'unusable_answer'],
  [500, 'unusable_answer'],
  [503, 'busy'],
])('a backend that opens no stream and answers %i is %s', async (status, fault) => {
  const { post } = await open({ status: () => status });
  expect(await (await post(message('initialize'))).text()).toBe(fault);
});

test('a backend that names no address in time is late', async () => {
  const { post } = await open(
    { endpoint: () => undefined },
    { timeouts: { connectMs: 1000, firstByteMs: 200 } },
  );
  expect(await (await post(message('initialize'))).text()).toBe('timeout');
});

test('a backend that is not there is unreachable', async () => {
  const { legacy, post } = await open();
  await legacy.close();
  expect(await (await post(message('initialize'))).text()).toBe('unreachable');
});

test('A22: a stream that breaks ends its session, and no other', async () => {
  const { legacy, begin, post } = await open();
  const [one, other] = [await begin(), await begin('ben')];
  const held = post(message('hold', 3), one);
  await expect.poll(() => legacy.arrived.at(-1)?.body).toContain('hold');
  legacy.streams[0]?.destroy();
  expect(await (await held).text()).toBe('unreachable');
  expect(await (await post(message('tools/list'), one)).text()).toBe('unknown_session');
  legacy.say({ method: 'ping' }, 1);
  expect((await post({ jsonrpc: '2.0', method: 'notifications/initialized' }, other)).status).toBe(202);
});

test('a backend that has forgotten the session is answered as one that never had it', async () => {
  const state = { forgets: false };
  const { legacy, begin, post } = await open({
    status: (method) => (method === 'POST' && state.forgets ? 404 : 0),
  });
  const session = await begin();
  state.forgets = true;
  expect(await (await post(message('tools/list'), session)).text()).toBe('unknown_session');
  await expect.poll(() => legacy.streams[0]?.closed).toBe(true);
  expect(await (await post(message('tools/list'), session)).text()).toBe('unknown_session');
});

test('DELETE closes the stream', async () => {
  const { url, legacy, begin } = await open();
  const session = await begin();
  expect((await fetch(url, { method: 'DELETE', headers: session })).status).toBe(200);
  await expect.poll(() => legacy.streams[0]?.closed).toBe(true);
});

test('A56: the stream ends with the sign-in that it was opened for, and no other does', async () => {
  const { legacy, begin, revoked, tick } = await open();
  await begin('anna', 'one');
  await begin('anna', 'two');
  revoked.add('one');
  tick();
  await expect.poll(() => legacy.streams[0]?.closed).toBe(true);
  expect(legacy.streams[1]?.closed).toBe(false);
});

test('the era without sessions is refused as an older server refuses it, and the backend hears nothing', async () => {
  const { legacy, post } = await open();
  const params = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } };
  const answer = await post(message('server/discover', 1, params));
  expect([answer.status, await answer.json()]).toMatchObject([400, { id: 1, error: { code: -32022 } }]);
  expect(legacy.arrived).toEqual([]);
});
