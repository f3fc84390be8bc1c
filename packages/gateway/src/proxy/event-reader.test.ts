import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEvents, type StreamEvent } from './event-reader.ts';

async function read(chunks: readonly (string | Uint8Array)[], maxLength = 1000): Promise<StreamEvent[]> {
  const stream = (async function* () {
    for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  })();
  const events: StreamEvent[] = [];
  for await (const event of readEvents(stream, maxLength)) events.push(event);
  return events;
}

test.each([
  ['a message', 'data: 1\n\n', [{ type: 'message', data: '1', id: '' }]],
  ['a named event', 'event: endpoint\ndata: /m\n\n', [{ type: 'endpoint', data: '/m', id: '' }]],
  ['some lines', 'data: 1\ndata:2\ndata\n\n', [{ type: 'message', data: '1\n2\n', id: '' }]],
  ['CR LF', 'data: 1\r\n\r\n', [{ type: 'message', data: '1', id: '' }]],
  ['comments', ': ping\n\n:\ndata: 1\n\n', [{ type: 'message', data: '1', id: '' }]],
  [
    'an id stays',
    'id: 7\ndata: 1\n\ndata: 2\n\n',
    [
      { type: 'message', data: '1', id: '7' },
      { type: 'message', data: '2', id: '7' },
    ],
  ],
  ['a name without data is nothing', 'event: x\n\ndata: 1\n\n', [{ type: 'message', data: '1', id: '' }]],
  ['colons in data', 'data: {"a":1}\n\n', [{ type: 'message', data: '{"a":1}', id: '' }]],
  ['half an event is none', 'data: 1\n', []],
])('%s', async (_case, text, events) => {
  expect(await read([text])).toEqual(events);
});

test('however the bytes are cut, the events are the same', async () => {
  const text = 'event: message\ndata: {"é":"\u{1F511}"}\r\n\r\n: x\n\nid: 1\ndata: b\n\n';
  const bytes = Buffer.from(text);
  const whole = await read([text]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: bytes.length })), async (cuts) => {
      const at = [0, ...cuts.toSorted((one, other) => one - other), bytes.length];
      expect(await read(at.slice(1).map((end, index) => bytes.subarray(at[index], end)))).toEqual(whole);
    }),
  );
});

test('an event without end is not collected without end', async () => {
  await expect(read(Array.from({ length: 50 }, () => 'data: xxxxxxxxxxxxxxxxxxxxxxxxx\n'))).rejects.toThrow(
    'too large',
  );
  await expect(read(['data: ', 'x'.repeat(2000)])).rejects.toThrow('too large');
});
