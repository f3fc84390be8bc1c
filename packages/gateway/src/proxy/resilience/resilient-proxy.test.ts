import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { BackendConfig } from '../../config/config.ts';
import { openSealedStore } from '../../session/sealed-store.suite.ts';
import { faultName } from '../backend-proxy.ts';
import { createBackendProxy } from '../forward.ts';
import {
  anna,
  backendAt,
  createSigningJwk,
  credentialOf,
  publicUrl,
  rawRequest,
  readText,
  silentLog,
  startFront,
  startServer,
} from '../front-and-back.suite.ts';
import { createIdentitySigner } from '../identity.ts';
import { createHttpProbe } from './http-probe.ts';
import type { Load } from './capacity.ts';
import { createResilientProxy } from './resilient-proxy.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A backend, the way to it, and a front that answers a fault with 599 and its name. `x-load` says what a request is. */
async function openWay(listener: RequestListener, changes: Partial<BackendConfig> = {}) {
  const back = await startServer(listener);
  closers.push(back.close);
  const time = { aheadMs: 0 };
  const clock = { nowMs: () => Date.now() + time.aheadMs };
  const identity = createIdentitySigner({ issuer: publicUrl, signingJwk: createSigningJwk(), clock });
  const backend = backendAt(`${back.url}/mcp`, changes);
  const credential = credentialOf(backend, identity);
  const store = openSealedStore(clock);
  const lines: string[] = [];
  const ticks: (() => void)[] = [];
  const proxy = createResilientProxy({
    backend,
    proxy: createBackendProxy({ backend, identity, credential, store, clock, log: silentLog }),
    probe: createHttpProbe({ backend, credential }),
    clock,
    timer: (work) => {
      ticks.push(work);
      return () => {};
    },
    log: pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }),
  });
  closers.push(() => proxy.close());
  const faults: string[] = [];
  /** What each that waited is told in turn, how many asked, and how many came at all. */
  const rights = { answers: [] as boolean[], asked: 0, came: 0 };
  const front = await startFront(async (exchange) => {
    const { 'x-load': load = 'call' } = exchange.req.headers;
    rights.came += 1;
    const forwarded = await proxy.forward(exchange, {
      mayStill() {
        rights.asked += 1;
        return rights.answers.shift() ?? true;
      },
      principal: anna,
      body: Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping"}'),
      era: 'legacy',
      load: load === 'none' ? undefined : (load as Load),
    });
    if (!forwarded.ok) faults.push(faultName(forwarded.error));
    if (forwarded.ok) await forwarded.value.ended;
    else if (!exchange.res.destroyed) {
      const { error } = forwarded;
      const seconds =
        typeof error === 'object' && 'retryAfterSeconds' in error ? error.retryAfterSeconds : '';
      exchange.res.writeHead(599).end(`${faultName(error)} ${seconds}`.trim());
    }
  });
  closers.push(front.close);
  const ask = async (load = 'call') => {
    const answer = await rawRequest(front.url, { headers: { 'x-load': load } });
    return answer.statusCode === 599 ? readText(answer) : answer.statusCode;
  };
  return { ask, faults, rights, front, back, proxy, time, lines, tick: () => ticks[0]?.() };
}

const answerOk = (_req: IncomingMessage, res: ServerResponse) =>
  void res.writeHead(200, { 'content-type': 'application/json' }).end('{}');

test('a backend that is gone: a few 502, then 503 at once, and one request finds it back', async () => {
  let isGone = true;
  let arrived = 0;
  const { ask, time, lines, proxy } = await openWay(
    (req, res) => {
      arrived += 1;
      if (isGone) req.socket.destroy();
      else answerOk(req, res);
    },
    { circuit: { failures: 3, openSeconds: 5 } },
  );
  for (let count = 0; count < 3; count += 1) expect(await ask()).toBe('unreachable');
  expect(await ask()).toBe('circuit_open 5');
  expect(arrived).toBe(3);
  expect(proxy.state()).toEqual({ name: 'snippets', breaker: 'open' });
  isGone = false;
  time.aheadMs = 5000;
  expect(await ask()).toBe(200);
  expect(proxy.state().breaker).toBe('closed');
  expect(lines.join()).toMatch(/circuit open.*circuit closed/su);
});

test.each([400, 401, 404, 429, 500, 503, 302])(
  'an answer %i is an answer: the circuit stays closed',
  async (status) => {
    const { ask, proxy } = await openWay((_req, res) => void res.writeHead(status).end('{}'), {
      circuit: { failures: 1, openSeconds: 5 },
    });
    for (let count = 0; count < 3; count += 1) await ask();
    expect(proxy.state().breaker).toBe('closed');
  },
);

test('a client that leaves is no failure of the backend', async () => {
  const { front, back, faults, proxy } = await openWay(() => {}, {
    circuit: { failures: 1, openSeconds: 5 },
  });
  const controller = new AbortController();
  const asked = fetch(front.url, { method: 'POST', body: '{}', signal: controller.signal });
  await Promise.race([asked, once(back.server, 'request')]);
  controller.abort();
  await expect(asked).rejects.toThrow();
  await expect.poll(() => faults).toEqual(['client_gone']);
  expect(proxy.state().breaker).toBe('closed');
});

test('time-outs count as the connection failing does', async () => {
  const { ask, proxy } = await openWay(() => {}, {
    timeouts: { connectMs: 1000, firstByteMs: 30 },
    circuit: { failures: 2, openSeconds: 5 },
  });
  expect(await ask()).toBe('timeout');
  expect(await ask()).toBe('timeout');
  expect(await ask()).toBe('circuit_open 5');
  expect(proxy.state().breaker).toBe('open');
});

test('connectMs: a server that takes the connection and never speaks TLS is not there', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  closers.push(async () => void silent.close());
  const { port } = silent.address() as AddressInfo;
  const { ask } = await openWay(answerOk, {
    upstream: `https://127.0.0.1:${port}/mcp`,
    timeouts: { connectMs: 100, firstByteMs: 20_000 },
  });
  const startedMs = performance.now();
  expect(await ask()).toBe('unreachable');
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

test('so many at once: one more hears busy, a stream and a notification still pass, and a place that is free is taken', async () => {
  const held: ServerResponse[] = [];
  const { ask, back } = await openWay(
    (req, res) => {
      if (req.headers['x-load'] !== 'call') return answerOk(req, res);
      held.push(res);
      return undefined;
    },
    { capacity: { maxConcurrent: 2, maxQueued: 0, queueMs: 100, maxStreams: 1 } },
  );
  const running = [ask(), ask()];
  for (let count = 0; count < 2; count += 1) await once(back.server, 'request');
  expect(await ask()).toBe('busy 1');
  expect(await ask('stream')).toBe(200);
  expect(await ask('none')).toBe(200);
  for (const res of held.splice(0)) res.writeHead(200).end('{}');
  expect(await Promise.all(running)).toEqual([200, 200]);
  const next = ask();
  await once(back.server, 'request');
  held[0]?.writeHead(200).end('{}');
  expect(await next).toBe(200);
});

test('an open event stream of a call holds its place until it ends, an open stream holds one of its own', async () => {
  const held: ServerResponse[] = [];
  const { ask, front, proxy } = await openWay(
    (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write(': open\n\n');
      held.push(res);
    },
    { capacity: { maxConcurrent: 1, maxQueued: 0, queueMs: 100, maxStreams: 1 } },
  );
  const stream = await rawRequest(front.url, { headers: { 'x-load': 'stream' } });
  expect(await ask('stream')).toBe('busy 1');
  const call = await rawRequest(front.url, { headers: { 'x-load': 'call' } });
  expect(await ask('call')).toBe('busy 1');
  held[1]?.end();
  await readText(call);
  expect(proxy.state().breaker).toBe('closed');
  await expect
    .poll(async () => (await rawRequest(front.url, { headers: { 'x-load': 'call' } })).statusCode)
    .toBe(200);
  stream.destroy();
  await expect
    .poll(async () => (await rawRequest(front.url, { headers: { 'x-load': 'stream' } })).statusCode)
    .toBe(200);
});

test('one that waits gets the place of one that ends; whose client leaves takes none', async () => {
  const held: ServerResponse[] = [];
  const { ask, front, back } = await openWay((_req, res) => void held.push(res), {
    capacity: { maxConcurrent: 1, maxQueued: 2, queueMs: 5000 },
  });
  const first = ask();
  await once(back.server, 'request');
  const controller = new AbortController();
  const leaving = fetch(front.url, {
    method: 'POST',
    headers: { 'x-load': 'call' },
    signal: controller.signal,
  });
  controller.abort();
  await expect(leaving).rejects.toThrow();
  const waiting = ask();
  held.shift()?.writeHead(200).end('{}');
  expect(await first).toBe(200);
  await expect.poll(() => held.length).toBe(1);
  held.shift()?.writeHead(200).end('{}');
  expect(await waiting).toBe(200);
});

test('A56: one that waited is asked about before it goes out: without its right it leaves its place to the next', async () => {
  const held: ServerResponse[] = [];
  let arrived = 0;
  const { ask, rights, proxy, back } = await openWay(
    (_req, res) => {
      arrived += 1;
      held.push(res);
    },
    { capacity: { maxConcurrent: 1, maxQueued: 2, queueMs: 5000 } },
  );
  const first = ask();
  await once(back.server, 'request');
  expect(rights.asked, 'of one that goes at once nothing is asked').toBe(0);
  rights.answers.push(false);
  const lapsed = ask();
  await expect.poll(() => rights.came).toBe(2);
  const next = ask();
  await expect.poll(() => rights.came).toBe(3);
  held[0]?.writeHead(200).end('{}');
  expect([await first, await lapsed]).toEqual([200, 'lapsed']);
  await expect.poll(() => held.length).toBe(2);
  held[1]?.writeHead(200).end('{}');
  expect(await next).toBe(200);
  expect([rights.asked, arrived, proxy.state().breaker]).toEqual([2, 2, 'closed']);
});

test('health: by a path, the credential with it and nobody’s identity; down and up again are logged once each', async () => {
  let status = 200;
  const asked: IncomingMessage[] = [];
  const { proxy, lines, tick } = await openWay(
    (req, res) => {
      asked.push(req);
      res.writeHead(status).end();
    },
    { health: { path: '/healthz', intervalSeconds: 10 }, circuit: { failures: 1, openSeconds: 5 } },
  );
  await expect.poll(() => asked.length).toBe(1);
  expect(asked[0]).toMatchObject({
    method: 'GET',
    url: '/healthz',
    headers: { 'x-backend-key': 'backend-key' },
  });
  expect(JSON.stringify(asked[0]?.rawHeaders)).not.toMatch(/valetkey/iu);
  status = 503;
  for (let count = 0; count < 2; count += 1) {
    await expect.poll(() => (tick(), asked.length)).toBeGreaterThan(count + 1);
  }
  await expect.poll(() => proxy.state()).toEqual({ name: 'snippets', breaker: 'closed', isHealthy: false });
  status = 200;
  await expect.poll(() => (tick(), proxy.state().isHealthy)).toBe(true);
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
    'backend fails its health check',
    'backend is healthy again',
  ]);
});

test('health: by an MCP ping, which a refusal settles too; who does not answer opens the circuit before anybody calls', async () => {
  const bodies: string[] = [];
  const way = await openWay(
    (req, res) => {
      void readText(req).then((text) => bodies.push(text));
      res.writeHead(401).end();
    },
    { health: { intervalSeconds: 10 }, circuit: { failures: 1, openSeconds: 5 } },
  );
  await expect.poll(() => bodies.length).toBe(1);
  expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ jsonrpc: '2.0', method: 'ping' });
  expect(way.proxy.state()).toMatchObject({ isHealthy: true, breaker: 'closed' });
  await way.back.close();
  closers.splice(closers.indexOf(way.back.close), 1);
  await expect
    .poll(() => (way.tick(), way.proxy.state()))
    .toMatchObject({ isHealthy: false, breaker: 'open' });
  expect(await way.ask()).toBe('circuit_open 5');
});

test('idleMs: an answer that stops in its middle is broken off, an event stream may be silent', async () => {
  const { front } = await openWay(
    (req, res) => {
      const isStream = req.headers['x-load'] === 'stream';
      res.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
      res.write(isStream ? ': open\n\n' : '{"half":');
      if (isStream) setTimeout(() => res.end('data: {}\n\n'), 120);
    },
    { timeouts: { connectMs: 1000, firstByteMs: 1000, idleMs: 40 } },
  );
  const half = await rawRequest(front.url, { headers: { 'x-load': 'call' } });
  await expect(readText(half)).rejects.toThrow();
  const stream = await rawRequest(front.url, { headers: { 'x-load': 'stream' } });
  expect(await readText(stream)).toBe(': open\n\ndata: {}\n\n');
});
