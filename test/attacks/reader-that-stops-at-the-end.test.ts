/** Stops: a client that stops reading just before the end of a stream, so that what is written after the end ends the process. */
import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { createKeepAlive, keepPipeAlive } from '@valetkey/gateway/proxy/keep-alive';
import { openEventStream } from '@valetkey/gateway/proxy/messages/event-writer';
import { afterEach, expect, test } from 'vitest';
import { openUnreadAnswer } from '../../packages/gateway/src/proxy/unread-answer.suite.ts';

const closers: (() => unknown)[] = [];
const crashes: unknown[] = [];
const onCrash = (fault: unknown) => void crashes.push(fault);

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  process.off('uncaughtExceptionMonitor', onCrash);
});

function openUnread(): Promise<ServerResponse> {
  process.on('uncaughtExceptionMonitor', onCrash);
  return openUnreadAnswer(closers);
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
