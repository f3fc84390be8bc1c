/** Stops: a client that stops reading just before the end of a stream, so that what is written after the end ends the process. */
import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { createSseTransport } from '../../packages/express/src/sse-transport.ts';
import { createKeepAlive, keepPipeAlive } from '@valetkey/gateway/proxy/keep-alive';
import { openEventStream } from '@valetkey/gateway/proxy/messages/event-writer';
import { afterEach, expect, test } from 'vitest';

const closers: (() => unknown)[] = [];
const crashes: unknown[] = [];
const onCrash = (fault: unknown) => void crashes.push(fault);

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  process.off('uncaughtExceptionMonitor', onCrash);
});

/** An answer on its way to a client that reads nothing of it. */
async function openUnread(): Promise<ServerResponse> {
  process.on('uncaughtExceptionMonitor', onCrash);
  const taken = Promise.withResolvers<ServerResponse>();
  const server = createServer((_req, res) => taken.resolve(res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  const sent = request({ port: (server.address() as AddressInfo).port });
  sent.on('error', () => {});
  sent.on('response', (answer) => answer.pause().on('error', () => {}));
  sent.end();
  closers.push(() => sent.destroy());
  return taken.promise;
}

/** More than the buffers of two sockets take. */
const much = 'x'.repeat(16 * 1024 * 1024);

function createTicking() {
  const works: (() => void)[] = [];
  const keepAlive = createKeepAlive(1, (work) => {
    works.push(work);
    return () => {};
  });
  return { keepAlive, passSeconds: (count: number) => tick(works, count) };
}

function tick(works: readonly (() => void)[], count: number): void {
  for (let passed = 0; passed < count; passed += 1) for (const work of works) work();
}

/** What was written too late is told in the next turns. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('A22 D15: no comment goes out behind the end of an answer that is piped', async () => {
  const res = await openUnread();
  const { keepAlive, passSeconds } = createTicking();
  const stop = keepPipeAlive(keepAlive, new PassThrough(), res);
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  res.write(`data: ${much}\n\n`);
  res.end();
  expect([res.writable, res.writableNeedDrain, res.writableFinished]).toEqual([true, false, false]);
  passSeconds(5);
  await settle();
  stop();
  expect(crashes).toEqual([]);
});

test('A22 D15: nor a comment or a message behind the end of one that is made of messages', async () => {
  const res = await openUnread();
  const { keepAlive, passSeconds } = createTicking();
  const writer = openEventStream({ res, headers: {}, keepAlive, waits: false });
  void writer.write(`{"much":"${much.slice(0, 3 * 1024 * 1024)}"}`);
  res.end();
  expect(res.writableFinished).toBe(false);
  passSeconds(5);
  expect(writer.write('{}')).toBeUndefined();
  await settle();
  expect(crashes).toEqual([]);
});

test('A22 D15: nor behind the end of a stream of a server of one’s own', async () => {
  const res = await openUnread();
  const transport = createSseTransport(res, { id: '1', endpoint: '/message' });
  await transport.start();
  await transport.send({ much });
  await transport.close();
  expect(res.writableFinished).toBe(false);
  await expect(transport.send({ late: true })).rejects.toThrow('closed');
  await settle();
  expect(crashes).toEqual([]);
});
