import { expect, test } from 'vitest';
import type { JsonRpcMessage } from './json-rpc.ts';
import { findTraceContext } from './trace-context.ts';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const messageWith = (meta: unknown): JsonRpcMessage => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'x', _meta: meta },
});

test('what the sender says of its trace is found', () => {
  expect(findTraceContext(messageWith({ traceparent }))).toEqual({ traceparent });
  expect(findTraceContext(messageWith({ traceparent, tracestate: 'rojo=1' }))).toEqual({
    traceparent,
    tracestate: 'rojo=1',
  });
});

test.each([
  ['nothing', undefined],
  ['no object', 'text'],
  ['a state without a parent', { tracestate: 'rojo=1' }],
  ['an empty text', { traceparent: '' }],
  ['a number', { traceparent: 7 }],
  ['capitals', { traceparent: traceparent.toUpperCase() }],
  ['more behind it', { traceparent: `${traceparent}\r\nx-evil: 1` }],
  ['an inherited key', Object.create({ traceparent }) as unknown],
])('%s is no trace context', (_what, meta) => {
  expect(findTraceContext(messageWith(meta))).toBeUndefined();
});

test.each(['a\u0000b', 'ä=1', 'x'.repeat(513), 7])(
  'a state that is not W3C is left out: %j',
  (tracestate) => {
    expect(findTraceContext(messageWith({ traceparent, tracestate }))).toEqual({ traceparent });
  },
);
