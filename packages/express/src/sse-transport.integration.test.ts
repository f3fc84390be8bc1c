import { afterEach, expect, test } from 'vitest';
import { openUnreadAnswer } from '../../gateway/src/proxy/unread-answer.suite.ts';
import { createSseTransport } from './sse-transport.ts';

const closers: (() => unknown)[] = [];
const crashes: unknown[] = [];
const onCrash = (fault: unknown) => void crashes.push(fault);

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  process.off('uncaughtExceptionMonitor', onCrash);
});

/** More than the buffers of two sockets take. */
const much = 'x'.repeat(16 * 1024 * 1024);

/** What was written too late is told in the next turns. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('A22 D15: nothing is written behind the end of a stream whose client has stopped reading', async () => {
  process.on('uncaughtExceptionMonitor', onCrash);
  const res = await openUnreadAnswer(closers);
  const transport = createSseTransport(res, { id: '1', endpoint: '/message' });
  await transport.start();
  await transport.send({ much });
  await transport.close();
  expect(res.writableFinished).toBe(false);
  await expect(transport.send({ late: true })).rejects.toThrow('closed');
  await settle();
  expect(crashes).toEqual([]);
});
