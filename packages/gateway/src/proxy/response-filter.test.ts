import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createEventStreamRewriter,
  MessageTooLarge,
  type RewriteMessage,
  rewriteJson,
} from './response-filter.ts';

const shout: RewriteMessage = (message) =>
  typeof message === 'object' && message !== null && 'say' in message ? { say: 'HUSH' } : message;

async function rewriteStream(chunks: (string | Uint8Array)[], maxBytes = 1000): Promise<string> {
  const rewriter = createEventStreamRewriter(shout, maxBytes);
  const [, out] = await Promise.all([
    pipeline(
      Readable.from(
        chunks.map((chunk) => Buffer.from(chunk)),
        { objectMode: false },
      ),
      rewriter,
    ),
    text(rewriter),
  ]);
  return out;
}

test('JSON that nothing changes keeps its bytes', () => {
  const body = Buffer.from('{ "a" : 1.0 }');
  expect(rewriteJson(body, shout)).toEqual({ ok: true, value: body });
});

test.each([1, 2, 3])('A24: behind %i byte order marks a message is seen', async (marks) => {
  const out = await rewriteStream([`${'\uFEFF'.repeat(marks)}data: {"say":"a"}\n\n`]);
  expect(out).toBe('data: {"say":"HUSH"}\n\n');
});

test('JSON that changes is written anew; what is no JSON is unreadable', () => {
  expect(rewriteJson(Buffer.from('{"say":"é"}'), shout)).toEqual({
    ok: true,
    value: Buffer.from('{"say":"HUSH"}'),
  });
  expect(rewriteJson(Buffer.from('{"say":'), shout)).toEqual({ ok: false, error: 'unreadable' });
  expect(rewriteJson(Uint8Array.of(0xff), shout)).toEqual({ ok: false, error: 'unreadable' });
});

test.each([
  ['a message', 'data: {"say":"a"}\n\n', 'data: {"say":"HUSH"}\n\n'],
  ['without a space', 'data:{"say":"a"}\n\n', 'data: {"say":"HUSH"}\n\n'],
  ['over several lines', 'data: {"say":\ndata: "a"}\n\n', 'data: {"say":"HUSH"}\n\n'],
  [
    'its other fields',
    'event: message\nid: 7\nretry: 5\ndata: {"say":"a"}\n\n',
    'event: message\nid: 7\nretry: 5\ndata: {"say":"HUSH"}\n\n',
  ],
  ['CR LF', 'data: {"say":"a"}\r\n\r\n', 'data: {"say":"HUSH"}\n\n'],
  ['CR', 'data: {"say":"a"}\r\r', 'data: {"say":"HUSH"}\n\n'],
  ['left alone', 'id: 1\ndata: {"b": 1.0}\n\n', 'id: 1\ndata: {"b": 1.0}\n\n'],
  ['a priming event', 'id: 1\ndata:\n\n', 'id: 1\ndata:\n\n'],
  ['a comment', ': keep-alive\n\n', ': keep-alive\n\n'],
  ['no JSON', 'data: hello\n\n', 'data: hello\n\n'],
  ['without its end', 'data: {"say":"a"}\n', ''],
])('an event stream: %s', async (_case, stream, expected) => {
  expect(await rewriteStream([stream])).toBe(expected);
});

test('an event stream means the same however it is cut into chunks', async () => {
  const stream = Buffer.from(
    ': hi\r\n\r\nid: 1\r\ndata: {"say":"é"}\r\n\r\ndata: {"other":"ü"}\r\n\r\ndata: x\r\n\r\n',
  );
  const whole = (await rewriteStream([stream])).replaceAll(/\n+/g, '\n');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: stream.length })), async (cuts) => {
      const edges = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      const chunks = edges.slice(1).map((end, index) => stream.subarray(edges[index], end));
      expect((await rewriteStream(chunks)).replaceAll(/\n+/g, '\n')).toBe(whole);
    }),
  );
});

test('an event without end is cut off, not let through', async () => {
  await expect(rewriteStream([`data: ${'x'.repeat(200)}`], 100)).rejects.toThrow(MessageTooLarge);
  await expect(
    rewriteStream(
      Array.from({ length: 20 }, () => 'data: xxxxxxxx\n'),
      100,
    ),
  ).rejects.toThrow(MessageTooLarge);
});

test('many small events are no large one', async () => {
  const events = Array.from({ length: 200 }, () => 'data: {"say":"a"}\n\n');
  expect(await rewriteStream([events.join('')], 100)).toBe('data: {"say":"HUSH"}\n\n'.repeat(200));
});
