import type { IncomingMessage, ServerResponse } from 'node:http';
import { err } from '@valetkey/core/base/result';
import { afterEach, expect, test } from 'vitest';
import { openSealedStore } from '../../session/sealed-store.suite.ts';
import { createFixedCredential } from '../credentials/backend-credential.ts';
import { createBackendProxy } from '../forward.ts';
import {
  backendAt,
  createSigningJwk,
  publicUrl,
  readText,
  silentLog,
  startServer,
} from '../front-and-back.suite.ts';
import { createIdentitySigner } from '../identity.ts';
import { openLegacyStream, startLegacyFront } from './legacy-front.suite.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const clock = { nowMs: () => Date.now() };

interface Arrival {
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly res: ServerResponse;
}

/** A backend of Streamable HTTP, which the test plays, and the way to it. */
async function openBack(answer: (arrival: Arrival) => void) {
  const arrived: Arrival[] = [];
  const back = await startServer((req, res) => {
    const arrive = async () => {
      const arrival = { method: req.method ?? '', headers: req.headers, body: await readText(req), res };
      arrived.push(arrival);
      answer(arrival);
    };
    void arrive();
  });
  closers.push(back.close);
  const proxy = createBackendProxy({
    backend: backendAt(`${back.url}/mcp`),
    identity: createIdentitySigner({ issuer: publicUrl, signingJwk: createSigningJwk(), clock }),
    credential: createFixedCredential({ 'x-backend-key': 'backend-key' }),
    store: openSealedStore(clock),
    clock,
    log: silentLog,
  });
  closers.push(() => proxy.close());
  return { arrived, back, proxy };
}

/** The addresses for older clients before it. */
async function openFront(...parts: Parameters<typeof startLegacyFront>) {
  const front = await startLegacyFront(...parts);
  closers.push(front.close);
  const connect = async (person = 'anna') => {
    const stream = await openLegacyStream(front.sseUrl, person);
    closers.push(async () => stream.leave());
    await expect.poll(stream.endpoint).toBeDefined();
    return stream;
  };
  return { ...front, connect };
}

async function open(answer: (arrival: Arrival) => void) {
  const { arrived, back, proxy } = await openBack(answer);
  return { ...(await openFront(proxy)), arrived, back };
}

const json = { 'content-type': 'application/json' };
const events = { 'content-type': 'text/event-stream' };
const message = (method: string, id?: unknown) => ({
  jsonrpc: '2.0',
  ...(id === undefined ? {} : { id }),
  method,
});
const result = (id: unknown, more: object = {}) => JSON.stringify({ jsonrpc: '2.0', id, result: more });

/** A backend with sessions, that answers each request as JSON. */
function plainBackend({ method, body, res, headers }: Arrival): void {
  if (method === 'DELETE') return void res.writeHead(200).end();
  if (method === 'GET') return void res.writeHead(405).end();
  const { id, method: asked } = JSON.parse(body) as { id?: unknown; method: string };
  if (id === undefined) return void res.writeHead(202).end();
  const session = asked === 'initialize' ? { 'mcp-session-id': 'of-the-backend' } : {};
  res.writeHead(200, { ...json, ...session }).end(result(id, { session: headers['mcp-session-id'] ?? null }));
}

test('the stream opens with the address for messages; a message is accepted, its answer comes on the stream', async () => {
  const { connect, ends } = await open(plainBackend);
  const { answer, endpoint, send, messages } = await connect();
  expect(answer.headers.get('content-type')).toBe('text/event-stream');
  expect(answer.headers.get('x-accel-buffering')).toBe('no');
  expect(endpoint()).toMatch(/^\/snippets\/mcp\/message\?sessionId=[\w-]{43}$/);
  const accepted = await send(message('initialize', 1));
  expect([accepted.status, await accepted.text()]).toEqual([202, '']);
  await expect.poll(messages).toEqual([{ jsonrpc: '2.0', id: 1, result: { session: null } }]);
  await send(message('notifications/initialized'));
  await send(message('tools/list', 2));
  await expect.poll(messages).toMatchObject([{ id: 1 }, { id: 2, result: { session: 'of-the-backend' } }]);
  await expect.poll(() => ends).toEqual(['POST complete', 'POST complete', 'POST complete']);
});

test('a message is accepted at once, however long its answer takes', async () => {
  const { connect, arrived } = await open(
    ({ method, res }) => void (method === 'POST' || res.writeHead(405).end()),
  );
  const { send, messages } = await connect();
  expect((await send(message('tools/call', 1))).status).toBe(202);
  await expect.poll(() => arrived.length).toBe(1);
  arrived[0]?.res
    .writeHead(200, events)
    .write('data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n');
  await expect.poll(messages).toMatchObject([{ method: 'notifications/progress' }]);
  arrived[0]?.res.end(`data: ${result(1)}\n\n`);
  await expect.poll(messages).toMatchObject([{ method: 'notifications/progress' }, { id: 1 }]);
});

test('the backend sees the gateway’s word, and a client that takes what Streamable HTTP gives', async () => {
  const { connect, arrived } = await open(plainBackend);
  const { send } = await connect('ben');
  await send(message('initialize', 1));
  await expect.poll(() => arrived.length).toBe(1);
  expect(arrived[0]?.headers).toMatchObject({
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'x-backend-key': 'backend-key',
    'x-valetkey-object-id': 'ben',
  });
});

test('D14 D61 A54: a session is of its person; somebody else’s, an unknown and a closed one are 404, with the reason', async () => {
  const { connect, arrived, back: _back, url } = await open(plainBackend);
  const one = await connect('anna');
  const other = await connect('ben');
  const address = one.endpoint() ?? '';
  expect(address).not.toBe(other.endpoint());
  const stolen = await one.send(message('tools/list', 1), 'ben');
  expect([stolen.status, await stolen.text()]).toEqual([599, 'unknown_stream']);
  for (const id of ['', 'x', '__proto__', `${address.split('=')[1]}&sessionId=x`]) {
    const refused = await one.send(message('tools/list', 1), 'anna', `/snippets/mcp/message?sessionId=${id}`);
    expect(await refused.text(), id).toBe('unknown_stream');
  }
  expect((await fetch(`${url}/snippets/mcp/message`, { method: 'POST', body: '{}' })).status).toBe(599);
  expect(arrived).toEqual([]);
  expect((await one.send(message('tools/list', 1))).status).toBe(202);
  one.leave();
  await expect.poll(async () => (await one.send(message('tools/list', 2))).status).toBe(599);
  expect(other.received.text, 'and nobody else hears anything').not.toContain('message\n');
});

test('A54 D15: a client that leaves frees everything at the backend, and ends its session there', async () => {
  const { connect, arrived } = await open((arrival) => {
    if (arrival.body.includes('hold')) arrival.res.writeHead(200, events).flushHeaders();
    else if (arrival.method === 'GET') arrival.res.writeHead(200, events).flushHeaders();
    else plainBackend(arrival);
  });
  const { send, leave, messages } = await connect();
  await send(message('initialize', 1));
  await expect.poll(messages).toHaveLength(1);
  await send(message('notifications/initialized'));
  await send(message('hold', 2));
  await expect
    .poll(() => arrived.map(({ method }) => method).toSorted())
    .toEqual(['GET', 'POST', 'POST', 'POST']);
  leave();
  await expect.poll(() => arrived.filter(({ res }) => !res.closed && !res.writableEnded)).toEqual([]);
  await expect.poll(() => arrived.at(-1)?.method).toBe('DELETE');
  expect(arrived.at(-1)?.headers['mcp-session-id']).toBe('of-the-backend');
});

test('what the backend says unasked comes on the stream, also after its own stream has broken', async () => {
  const streams: ServerResponse[] = [];
  const { connect, arrived } = await open((arrival) => {
    if (arrival.method !== 'GET') return plainBackend(arrival);
    streams.push(arrival.res.writeHead(200, events));
    arrival.res.flushHeaders();
  });
  const { send, messages } = await connect();
  await send(message('initialize', 1));
  await expect.poll(messages).toHaveLength(1);
  await send(message('notifications/initialized'));
  await expect.poll(() => streams.length).toBe(1);
  streams[0]?.write('id: e1\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n');
  await expect.poll(messages).toMatchObject([{ id: 1 }, { method: 'notifications/tools/list_changed' }]);
  streams[0]?.destroy();
  await expect.poll(() => streams.length, { timeout: 5000 }).toBe(2);
  expect(arrived.at(-1)?.headers['last-event-id']).toBe('e1');
  streams[1]?.write('data: {"jsonrpc":"2.0","id":9,"method":"roots/list"}\n\n');
  await expect.poll(messages).toMatchObject([{ id: 1 }, {}, { id: 9, method: 'roots/list' }]);
});

test('an answer that the backend goes on with when it is asked again arrives whole', async () => {
  const { connect } = await open(({ method, headers, res }) => {
    if (method === 'POST') return void res.writeHead(200, events).end('id: e7\ndata: \n\n');
    res.writeHead(200, events).end(headers['last-event-id'] === 'e7' ? `data: ${result(1)}\n\n` : '');
  });
  const { send, messages } = await connect();
  await send(message('tools/call', 1));
  await expect.poll(messages, { timeout: 5000 }).toMatchObject([{ id: 1, result: {} }]);
});

test('A25: what is left of an answer is fetched though no new call may be made: its call has been', async () => {
  const asked: string[] = [];
  const { proxy } = await openBack(({ method, res }) => {
    asked.push(method);
    res.writeHead(200, events).end(method === 'POST' ? 'id: e7\ndata: \n\n' : `data: ${result(1)}\n\n`);
  });
  /** As a backend at which each request has to wait for its turn. */
  const forward: typeof proxy.forward = async (exchange, request) =>
    (await request.mayStill?.()) === false ? err('lapsed') : proxy.forward(exchange, request);
  const { connect } = await openFront({ ...proxy, forward }, () => asked.length === 0);
  const { send, messages } = await connect();
  await send(message('tools/call', 1));
  await expect.poll(messages, { timeout: 5000 }).toMatchObject([{ id: 1, result: {} }]);
  await send(message('tools/call', 2));
  await expect.poll(messages).toMatchObject([{ id: 1 }, { id: 2, error: { message: 'lapsed' } }]);
  expect(asked).toEqual(['POST', 'GET']);
});

test.each<[string, (arrival: Arrival) => void, string]>([
  ['breaks off', ({ res }) => res.destroy(), 'unreachable'],
  ['refuses our credential', ({ res }) => res.writeHead(401).end(), 'credential_refused'],
  ['answers with no JSON-RPC', ({ res }) => res.writeHead(500).end('oops'), 'unusable_answer'],
  ['ends without an answer', ({ res }) => res.writeHead(200, events).end(), 'unreachable'],
])('a backend that %s: the client reads it on the stream', async (_case, answer, fault) => {
  const { connect, ends } = await open(answer);
  const { send, messages } = await connect();
  expect((await send(message('tools/list', 4))).status).toBe(202);
  await expect.poll(messages).toEqual([{ jsonrpc: '2.0', id: 4, error: { code: 502, message: fault } }]);
  await expect.poll(() => ends).toEqual(['POST backend_lost']);
});

test('an error of the backend in JSON-RPC is the client’s answer', async () => {
  const { connect } = await open(({ res }) =>
    res.writeHead(400, json).end('{"jsonrpc":"2.0","id":4,"error":{"code":-32602,"message":"no"}}'),
  );
  const { send, messages } = await connect();
  await send(message('tools/list', 4));
  await expect.poll(messages).toMatchObject([{ id: 4, error: { code: -32602 } }]);
});

test('a backend that has lost the session makes the client begin anew', async () => {
  const state = { forgets: false };
  const { connect } = await open((arrival) =>
    state.forgets
      ? void arrival.res.writeHead(404, json).end('{"jsonrpc":"2.0","id":null,"error":{}}')
      : plainBackend(arrival),
  );
  const { send, messages, received } = await connect();
  await send(message('initialize', 1));
  await expect.poll(messages).toHaveLength(1);
  state.forgets = true;
  await send(message('tools/list', 2));
  await expect.poll(() => received.hasEnded).toBe(true);
  expect(messages().at(-1)).toMatchObject({ id: 2, error: { message: 'unknown_session' } });
});

test('A54: comments keep a silent stream open', async () => {
  const { connect, passSeconds } = await open(plainBackend);
  const { received } = await connect();
  passSeconds(15);
  await expect.poll(() => received.text).toMatch(/\n\n: keep-alive\n\n$/);
});

test('one person’s streams are bounded, and others find room', async () => {
  const { connect, sseUrl } = await open(plainBackend);
  const streams = await Promise.all(Array.from({ length: 50 }, () => connect('anna')));
  expect((await fetch(sseUrl, { headers: { 'x-test-person': 'anna' } })).status).toBe(599);
  await connect('ben');
  streams[0]?.leave();
  await expect
    .poll(async () => {
      const again = new AbortController();
      const { status } = await fetch(sseUrl, { headers: { 'x-test-person': 'anna' }, signal: again.signal });
      again.abort();
      return status;
    })
    .toBe(200);
});
