import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { openSealedStore } from '../session/sealed-store.suite.ts';
import type { ForwardRequest } from './backend-proxy.ts';
import { createBackendProxy } from './forward.ts';
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
} from './front-and-back.suite.ts';
import { createIdentitySigner } from './identity.ts';
import { createKeepAlive } from './keep-alive.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const clock = { nowMs: () => Date.now() };
const identity = createIdentitySigner({ issuer: publicUrl, signingJwk: createSigningJwk(), clock });

async function openWay(
  listener: (req: IncomingMessage, res: ServerResponse) => void,
  request: Partial<ForwardRequest> = {},
) {
  const works: (() => void)[] = [];
  const keepAlive = createKeepAlive(2, (work) => {
    works.push(work);
    return () => {};
  });
  const back = await startServer(listener);
  closers.push(back.close);
  const store = openSealedStore(clock);
  const backend = backendAt(`${back.url}/mcp`);
  const proxy = createBackendProxy({
    backend,
    identity,
    credential: credentialOf(backend, identity),
    store,
    clock,
    log: silentLog,
    keepAlive,
  });
  closers.push(() => proxy.close());
  const front = await startFront(async (exchange) => {
    const body = exchange.method === 'POST' ? Buffer.from(await readText(exchange.req)) : undefined;
    const forwarded = await proxy.forward(exchange, { principal: anna, body, era: 'legacy', ...request });
    if (forwarded.ok) await forwarded.value.ended;
    else exchange.res.writeHead(599).end(forwarded.error);
  });
  closers.push(front.close);
  const passSeconds = (seconds: number) => {
    for (let passed = 0; passed < seconds; passed += 1) for (const work of works) work();
  };
  return { url: `${front.url}/snippets/mcp`, passSeconds };
}

/** A backend that sends what the test tells it to. */
function createSender(contentType = 'text/event-stream') {
  const opened = Promise.withResolvers<ServerResponse>();
  const listener = (_req: IncomingMessage, res: ServerResponse) => {
    res.writeHead(200, { 'content-type': contentType }).flushHeaders();
    opened.resolve(res);
  };
  return { listener, opened: opened.promise };
}

function collect(answer: IncomingMessage) {
  const received = { text: '' };
  answer.on('data', (chunk: Buffer) => (received.text += chunk.toString()));
  return received;
}

test.each([
  ['as it comes', {}],
  ['filtered', { rewriteMessage: (message: unknown) => message }],
])('A54: a silent event stream gets comments, between whole events only: %s', async (_case, request) => {
  const { listener, opened } = createSender();
  const { url, passSeconds } = await openWay(listener, request);
  const answer = await rawRequest(url, { method: 'GET' });
  const received = collect(answer);
  const sender = await opened;
  passSeconds(2);
  await expect.poll(() => received.text).toBe(': keep-alive\n\n');

  sender.write('data: {"a":1}\n\n');
  await expect.poll(() => received.text).toContain('"a"');
  passSeconds(1);
  sender.write('data: {"b":2}');
  const half = 'filtered' === _case ? 'data: {"a":1}\n\n' : 'data: {"b":2}';
  await expect.poll(() => received.text).toContain(half);
  passSeconds(4);
  sender.write('\n\n');
  await expect.poll(() => received.text.split('data: {"b":2}\n\n')).toHaveLength(2);
  passSeconds(2);
  await expect.poll(() => received.text.split(': keep-alive\n\n').length).toBeGreaterThan(2);
  sender.end();
  await once(answer, 'end');
  const events = received.text.replaceAll(': keep-alive\n\n', '');
  expect(events).toBe('data: {"a":1}\n\ndata: {"b":2}\n\n');
});

test('A54: what is no event stream gets no comment, nor does an ended one', async () => {
  const { listener, opened } = createSender('application/json');
  const { url, passSeconds } = await openWay(listener);
  const answer = await rawRequest(url, { method: 'GET' });
  const received = collect(answer);
  passSeconds(5);
  (await opened).end('{}');
  await once(answer, 'end');
  passSeconds(5);
  expect(received.text).toBe('{}');
});

test('A54: a client that does not read stops the backend, and gets everything once it reads', async () => {
  const event = `data: ${'x'.repeat(64 * 1024)}\n\n`;
  const wanted = 600;
  let sent = 0;
  const { url, passSeconds } = await openWay((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = () => {
      while (sent < wanted) {
        sent += 1;
        if (!res.write(event)) return void res.once('drain', send);
      }
      res.end();
    };
    send();
  });
  const answer = await rawRequest(url, { method: 'GET' });
  // Not read: after some megabytes in the buffers of three sockets everything stands still.
  let before = -1;
  await expect
    .poll(
      () => {
        const isStill = before === sent;
        before = sent;
        return isStill;
      },
      { interval: 200, timeout: 10_000 },
    )
    .toBe(true);
  expect(sent).toBeLessThan(wanted);
  passSeconds(10);
  expect(await readText(answer)).toBe(event.repeat(wanted));
});
