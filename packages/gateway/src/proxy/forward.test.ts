import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import type { BackendConfig } from '../config/config.ts';
import type { BackendProxy, ForwardRequest } from './backend-proxy.ts';
import { createBackendProxy } from './forward.ts';
import {
  anna,
  backendAt,
  ben,
  credentialOf,
  createSigningJwk,
  publicUrl,
  rawRequest,
  readText,
  silentLog,
  startFront,
  startServer,
} from './front-and-back.suite.ts';
import { openSealedStore } from '../session/sealed-store.suite.ts';
import { type Driver, StoreUnavailable } from '../store/driver.ts';
import { createIdentitySigner } from './identity.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const clock = { nowMs: () => Date.now() };
const identity = createIdentitySigner({ issuer: publicUrl, signingJwk: createSigningJwk(), clock });

function openProxy(
  backend: BackendConfig,
  maxListBytes?: number,
  wrapDriver?: (driver: Driver) => Driver,
): BackendProxy {
  const proxy = createBackendProxy({
    backend,
    identity,
    credential: credentialOf(backend, identity),
    store: openSealedStore(clock, wrapDriver),
    clock,
    log: silentLog,
    ...(maxListBytes === undefined ? {} : { maxListBytes }),
  });
  closers.push(() => proxy.close());
  return proxy;
}

/** A backend, a proxy to it, and a front whose requests all count as `request` says. Faults come as status 599. */
async function openWay(
  listener: (req: IncomingMessage, res: ServerResponse) => void,
  options: {
    request?: Partial<ForwardRequest>;
    backend?: Partial<BackendConfig>;
    maxListBytes?: number;
    wrapDriver?: (driver: Driver) => Driver;
  } = {},
) {
  const back = await startServer(listener);
  closers.push(back.close);
  const backend = backendAt(`${back.url}/mcp?key=own`, options.backend);
  const proxy = openProxy(backend, options.maxListBytes, options.wrapDriver);
  const ends: unknown[] = [];
  const front = await startFront(async (exchange) => {
    const principal = exchange.req.headers['x-test-person'] === 'ben' ? ben : anna;
    const body = exchange.method === 'POST' ? Buffer.from(await readText(exchange.req)) : undefined;
    const forwarded = await proxy.forward(exchange, { principal, body, era: 'legacy', ...options.request });
    if (forwarded.ok) ends.push(await forwarded.value.ended);
    else {
      ends.push(forwarded.error);
      if (!exchange.res.destroyed) exchange.res.writeHead(599).end(forwarded.error);
    }
  });
  closers.push(front.close);
  return { url: `${front.url}/snippets/mcp`, back, proxy, ends };
}

const post = {
  body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  headers: { 'content-type': 'application/json' },
};

test('A52 A53 D42 GHSA-g53w-w6mj-hrpp LiteLLM#30559: the backend sees the gateway’s word, and nothing the client made up', async () => {
  let seen: IncomingMessage | undefined;
  const { url } = await openWay((req, res) => {
    seen = req;
    res.end('{}');
  });
  await rawRequest(`${url}?access_token=stolen&key=mine`, {
    body: post.body,
    headers: {
      Authorization: 'Bearer the-clients-token',
      Cookie: 'a=b',
      'X-Valetkey-Identity': 'forged',
      'x-valetkey-object-id': ['forged', 'twice'],
      X_Valetkey_Object_Id: 'forged',
      'X-Functions-Key': 'forged',
      'X-Backend-Key': 'forged',
      'X-MS-CLIENT-PRINCIPAL': 'forged',
      'X-Forwarded-For': '10.0.0.1',
      'X-Original-URL': '/admin',
      Connection: 'x-hop',
      'X-Hop': '1',
      'Mcp-Param-Region': 'EU',
      traceparent: '00-1-2-03',
      'X-Note': 'caf\u00e9',
    },
  });
  const { headers, url: path } = seen ?? {};
  expect(path, 'the client’s query goes nowhere').toBe('/mcp?key=own');
  expect(JSON.stringify(seen?.rawHeaders)).not.toMatch(/forged|the-clients-token|stolen|10\.0\.0\.1|admin/);
  expect(headers).toMatchObject({
    'x-backend-key': 'backend-key',
    'x-valetkey-object-id': 'anna',
    'x-valetkey-tenant-id': 'tenant-1',
    'x-request-id': 'request-1',
    'accept-encoding': 'identity',
    'content-type': 'application/json',
    'mcp-param-region': 'EU',
    traceparent: '00-1-2-03',
  });
  expect(headers?.['x-valetkey-identity']?.toString().split('.')).toHaveLength(3);
  expect(headers?.['x-hop']).toBeUndefined();
});

test('A54: the first event arrives while the backend still holds the stream open', async () => {
  let held: ServerResponse | undefined;
  const { url, ends } = await openWay((_req, res) => {
    held = res;
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write('data: 1\n\n');
  });
  const answer = await rawRequest(url, post);
  expect(answer.headers['x-accel-buffering']).toBe('no');
  const [first] = await once(answer, 'data');
  expect(String(first)).toBe('data: 1\n\n');
  // Only now, with the first event in the client's hands, does the backend go on.
  held?.end('data: 2\n\n');
  expect(await readText(answer)).toBe('data: 2\n\n');
  await expect.poll(() => ends).toEqual(['complete']);
});

test('A54: headers arrive before any event does', async () => {
  let held: ServerResponse | undefined;
  const { url } = await openWay((_req, res) => {
    held = res;
    res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  });
  const answer = await rawRequest(url, { method: 'GET' });
  expect(answer.statusCode).toBe(200);
  held?.end();
  await readText(answer);
});

test('A54 D15 A22: a client that leaves frees the backend, and nobody else', async () => {
  const closed = Promise.withResolvers<void>();
  let calls = 0;
  const { url, ends } = await openWay((_req, res) => {
    calls += 1;
    if (calls > 1) return void res.end('{}');
    res.on('close', closed.resolve);
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write('data: 1\n\n');
  });
  const answer = await rawRequest(url, post);
  await once(answer, 'data');
  answer.destroy();
  await closed.promise;
  expect((await rawRequest(url, post)).statusCode).toBe(200);
  await expect.poll(() => ends).toEqual(['client_gone', 'complete']);
});

test('A54: a client that leaves before the answer frees the backend too', async () => {
  const arrived = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const { url } = await openWay((_req, res) => {
    res.on('close', closed.resolve);
    arrived.resolve();
  });
  const left = new AbortController();
  const asked = fetch(url, { method: 'POST', body: '{}', signal: left.signal }).catch(() => 'left');
  await arrived.promise;
  left.abort();
  expect(await asked).toBe('left');
  await closed.promise;
});

test('a backend that dies mid-stream breaks the client’s stream: half an answer does not look whole', async () => {
  let held: ServerResponse | undefined;
  const { url, ends } = await openWay((_req, res) => {
    held = res;
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write('data: 1\n\n');
  });
  const answer = await rawRequest(url, post);
  await once(answer, 'data');
  held?.destroy();
  await expect(readText(answer)).rejects.toThrow('aborted');
  await expect.poll(() => ends).toEqual(['backend_lost']);
});

test('open streams do not keep a call waiting', async () => {
  const { url } = await openWay((req, res) => {
    if (req.method === 'POST') return void res.end('{}');
    res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  });
  const streams = await Promise.all(Array.from({ length: 60 }, () => rawRequest(url, { method: 'GET' })));
  expect((await rawRequest(url, post)).statusCode).toBe(200);
  for (const stream of streams) stream.destroy();
});

test('a large answer arrives whole', async () => {
  const bytes = randomBytes(8 * 1024 * 1024);
  const { url } = await openWay((_req, res) =>
    res.writeHead(200, { 'content-type': 'application/json' }).end(bytes),
  );
  const hash = createHash('sha256');
  for await (const chunk of await rawRequest(url, post)) hash.update(chunk as Buffer);
  expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
});

test.each<[string, (res: ServerResponse) => void, string]>([
  ['never answers', () => {}, 'timeout'],
  ['closes the connection', (res) => res.destroy(), 'unreachable'],
  ['speaks no HTTP', (res) => void res.socket?.end('hello\r\n\r\n'), 'unreachable'],
  [
    'refuses our credential',
    (res) => res.writeHead(401, { 'www-authenticate': 'Bearer' }).end(),
    'credential_refused',
  ],
  [
    'redirects',
    (res) => res.writeHead(307, { location: 'http://169.254.169.254/' }).end(),
    'unusable_answer',
  ],
])('a backend that %s', async (_case, answer, fault) => {
  const { url } = await openWay((_req, res) => answer(res), {
    backend: { timeouts: { connectMs: 10_000, firstByteMs: fault === 'timeout' ? 50 : 10_000 } },
  });
  const refused = await rawRequest(url, post);
  expect(refused.statusCode).toBe(599);
  expect(await readText(refused)).toBe(fault);
});

test('a backend that is not there is unreachable', async () => {
  const gone = await startServer(() => {});
  await gone.close();
  const proxy = openProxy(backendAt(gone.url));
  const front = await startFront(async (exchange) => {
    const forwarded = await proxy.forward(exchange, {
      principal: anna,
      body: Buffer.from('{}'),
      era: 'legacy',
    });
    exchange.res.end(forwarded.ok ? 'ok' : forwarded.error);
  });
  closers.push(front.close);
  expect(await readText(await rawRequest(front.url, post))).toBe('unreachable');
});

test('what a backend must not say to a client is left out', async () => {
  const { url } = await openWay((_req, res) =>
    res
      .writeHead(403, {
        'set-cookie': 'a=b',
        'www-authenticate': 'Bearer resource_metadata="https://evil.test"',
        'access-control-allow-origin': '*',
        server: 'kestrel',
        'content-type': 'application/json',
        'x-note': 'kept',
      })
      .end('{}'),
  );
  const { headers, statusCode } = await rawRequest(url, post);
  expect(statusCode).toBe(403);
  expect(headers).toMatchObject({
    'x-note': 'kept',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  for (const name of ['set-cookie', 'www-authenticate', 'access-control-allow-origin', 'server']) {
    expect(headers[name]).toBeUndefined();
  }
});

function sessionBackend(req: IncomingMessage, res: ServerResponse): void {
  const asked = req.headers['mcp-session-id'];
  res.writeHead(200, { 'mcp-session-id': asked ?? 'session-of-anna' }).end('{}');
}

test('D61: a session of one person is not found by another', async () => {
  const { url } = await openWay(sessionBackend);
  const asks = (person: string, session?: string) =>
    rawRequest(url, {
      ...post,
      headers: { 'x-test-person': person, ...(session === undefined ? {} : { 'Mcp-Session-Id': session }) },
    }).then(async (answer) => [answer.statusCode, await readText(answer)]);
  expect(await asks('anna')).toEqual([200, '{}']);
  expect(await asks('anna', 'session-of-anna')).toEqual([200, '{}']);
  expect(await asks('ben', 'session-of-anna')).toEqual([599, 'unknown_session']);
  expect(await asks('ben', 'made-up')).toEqual([599, 'unknown_session']);
  expect(await asks('ben'), 'a backend that gives two people one session is at fault').toEqual([
    599,
    'unusable_answer',
  ]);
});

test('MSRC-112281: a session of one backend is worth nothing at another', async () => {
  const [one, other] = [await openWay(sessionBackend), await openWay(sessionBackend)];
  await rawRequest(one.url, post);
  const headers = { 'Mcp-Session-Id': 'session-of-anna' };
  expect((await rawRequest(one.url, { ...post, headers })).statusCode).toBe(200);
  expect(await readText(await rawRequest(other.url, { ...post, headers }))).toBe('unknown_session');
});

test.each([
  ['DELETE', 200],
  ['POST', 404],
])('after %s with %i the session is gone', async (method, status) => {
  const { url } = await openWay((req, res) => {
    const isFirst = req.headers['mcp-session-id'] === undefined;
    res.writeHead(isFirst ? 200 : status, isFirst ? { 'mcp-session-id': 's1' } : {}).end();
  });
  const headers = { 'Mcp-Session-Id': 's1' };
  await rawRequest(url, post);
  expect((await rawRequest(url, { method, headers })).statusCode).toBe(status);
  expect((await rawRequest(url, { method, headers })).statusCode).toBe(599);
});

test('an answer that breaks while the store is asked harms nobody else', async () => {
  const broken = Promise.withResolvers<void>();
  const { url, ends } = await openWay(
    (_req, res) => {
      res.writeHead(200, { 'mcp-session-id': 's1', 'content-length': 1000 }).write('{');
      res.once('close', () => broken.resolve());
      setImmediate(() => res.destroy());
    },
    {
      wrapDriver: (driver) => ({
        ...driver,
        async create(...args) {
          await broken.promise;
          return driver.create(...args);
        },
      }),
    },
  );
  const answer = await rawRequest(url, post)
    .then(readText)
    .catch(() => 'cut');
  expect(answer).not.toBe('{}');
  await expect.poll(() => ends).toEqual(['backend_lost']);
});

test('A57: whose session it is cannot be known while the store is away', async () => {
  const { url } = await openWay(sessionBackend, {
    wrapDriver: (driver) => ({
      ...driver,
      get: async () => {
        throw new StoreUnavailable('down for the test');
      },
    }),
  });
  const headers = { 'Mcp-Session-Id': 'of-another-replica' };
  expect(await readText(await rawRequest(url, { ...post, headers }))).toBe('store_unavailable');
});

test('in the modern era there are no sessions to present or to get', async () => {
  let seen: unknown;
  const { url } = await openWay(
    (req, res) => {
      seen = req.headers['mcp-session-id'];
      res.writeHead(200, { 'mcp-session-id': 's1' }).end('{}');
    },
    { request: { era: 'modern' } },
  );
  const answer = await rawRequest(url, { ...post, headers: { 'Mcp-Session-Id': 'made-up' } });
  expect([answer.statusCode, seen, answer.headers['mcp-session-id']]).toEqual([200, undefined, undefined]);
});

const rewriteMessage = (message: unknown) =>
  typeof message === 'object' && message !== null && 'result' in message ? { filtered: true } : message;
const list = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: [] } });

test.each<[string, Record<string, string>, string, string]>([
  [
    'JSON',
    { 'content-type': 'application/json; charset=utf-8', 'content-length': String(list.length) },
    list,
    '{"filtered":true}',
  ],
  [
    'an event',
    { 'content-type': 'text/event-stream' },
    `id: 1\ndata: ${list}\n\n`,
    'id: 1\ndata: {"filtered":true}\n\n',
  ],
])('A24: a list is filtered as %s', async (_case, headers, body, expected) => {
  const { url } = await openWay((_req, res) => res.writeHead(200, headers).end(body), {
    request: { rewriteMessage },
  });
  const answer = await rawRequest(url, post);
  expect(answer.statusCode).toBe(200);
  expect(await readText(answer)).toBe(expected);
});

test.each<[string, number, Record<string, string>, string]>([
  ['another media type', 200, { 'content-type': 'text/plain' }, list],
  ['broken JSON', 200, { 'content-type': 'application/json' }, list.slice(1)],
  ['compressed', 200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }, list],
  ['too large', 200, { 'content-type': 'application/json' }, list.padEnd(3000)],
])('A24: a list that cannot be filtered is not passed on: %s', async (_case, status, headers, body) => {
  const { url } = await openWay((_req, res) => res.writeHead(status, headers).end(body), {
    request: { rewriteMessage },
    maxListBytes: 2000,
  });
  expect(await readText(await rawRequest(url, post))).toBe('unusable_answer');
});

test('A24: a filtered stream is not held back, event by event', async () => {
  let held: ServerResponse | undefined;
  const { url } = await openWay(
    (_req, res) => {
      held = res;
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(`data: ${list}\n\n`);
    },
    { request: { rewriteMessage } },
  );
  const answer = await rawRequest(url, post);
  const [first] = await once(answer, 'data');
  expect(String(first)).toBe('data: {"filtered":true}\n\n');
  held?.end();
  await readText(answer);
});
