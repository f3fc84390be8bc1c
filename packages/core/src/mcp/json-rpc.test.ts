import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { httpStatusOf, jsonRpcCodes, jsonRpcError } from './errors.ts';
import { isRequest, isResponse, parseJsonRpcBody } from './json-rpc.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const kindOf = (body: string | Uint8Array) => {
  const parsed = parseJsonRpcBody(body);
  return parsed.ok ? 'ok' : parsed.error.kind;
};

test.each([
  ['a request', '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'],
  ['a text id', '{"jsonrpc":"2.0","id":"","method":"tools/list","params":{}}'],
  ['a notification', '{"jsonrpc":"2.0","method":"notifications/initialized"}'],
  ['a result', '{"jsonrpc":"2.0","id":0,"result":{}}'],
  ['an error', '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}'],
  ['an error without id', '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}'],
  ['a notification that is not of MCP', '{"jsonrpc":"2.0","method":"acme/noticed"}'],
  ['unknown members', '{"jsonrpc":"2.0","id":1,"method":"m","extra":{"a":1}}'],
  [
    'twins in the arguments',
    '{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{"a":1,"a":2,"A":3}}}',
  ],
  [
    'one name on several levels',
    '{"jsonrpc":"2.0","id":1,"method":"m","params":{"method":1,"name":{"name":2}}}',
  ],
  [
    'one name in two messages',
    '[{"jsonrpc":"2.0","id":1,"method":"m"},{"jsonrpc":"2.0","id":1,"method":"m"}]',
  ],
  ['equal values', '{"jsonrpc":"2.0","id":"method","method":"method"}'],
])('parsed: %s', (_name, body) => {
  const parsed = parseJsonRpcBody(bytes(body));
  expect(parsed.ok && [parsed.value.isBatch, parsed.value.messages]).toEqual([
    body.startsWith('['),
    [JSON.parse(body)].flat(),
  ]);
});

const call = (members: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call",${members}}`;
test.each([
  ['method', '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}'],
  ['method, escaped', '{"jsonrpc":"2.0","id":1,"method":"tools/list","m\\u0065thod":"tools/call"}'],
  ['method, by case (Go)', '{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}'],
  ['params, by long s (Go)', call('"params":{"name":"a"},"param\u017f":{"name":"b"}')],
  ['task id, by Kelvin sign (Go)', call('"params":{"task":1,"tas\u212a":2}')],
  ['id', '{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}'],
  ['jsonrpc', '{"jsonrpc":"1.0","jsonrpc":"2.0","id":2,"method":"m"}'],
  ['name', call('"params":{"name":"get","name":"save"}')],
  ['name after nesting', call('"params":{"name":"get","arguments":{"x":[{"name":1}]},"name":"save"}')],
  ['uri', '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","uri":"b"}}'],
  ['arguments', call('"params":{"name":"get","arguments":{},"arguments":{}}')],
  ['params', call('"params":{"name":"get"},"params":{"name":"save"}')],
  ['_meta', call('"params":{"_meta":{},"_meta":{}}')],
  [
    'the version',
    call(
      '"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"1","io.modelcontextprotocol/protocolVersion":"2"}}',
    ),
  ],
  [
    'a completion',
    '{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"name":"a","name":"b"}}}',
  ],
  [
    'a subscription',
    '{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[],"ResourceSubscriptions":["a"]}}}',
  ],
  [
    'in a batch',
    '[{"jsonrpc":"2.0","id":1,"method":"m"},{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}]',
  ],
  ['in a response', '{"jsonrpc":"2.0","id":1,"result":{},"result":{}}'],
])('A24: a key that occurs twice is refused: %s', (_name, body) => {
  expect(() => JSON.parse(body)).not.toThrow();
  expect(kindOf(body)).toBe('duplicate-key');
});

test.each<[string, string | Uint8Array, string]>([
  ['nothing', '', 'unreadable'],
  ['no JSON', '{"jsonrpc":', 'unreadable'],
  ['two documents', '{} {}', 'unreadable'],
  ['a byte order mark', bytes('\ufeff{"jsonrpc":"2.0","id":1,"method":"m"}'), 'unreadable'],
  ['broken UTF-8', Uint8Array.of(0x22, 0xc3, 0x28, 0x22), 'unreadable'],
  ['UTF-16', new Uint8Array(Buffer.from('{"jsonrpc":"2.0"}', 'utf16le')), 'unreadable'],
  ['text', '"tools/list"', 'invalid-message'],
  ['null', 'null', 'invalid-message'],
  ['an empty batch', '[]', 'invalid-message'],
  ['a batch in a batch', '[[]]', 'invalid-message'],
  ['no version', '{"id":1,"method":"m"}', 'invalid-message'],
  ['another version', '{"jsonrpc":"1.0","id":1,"method":"m"}', 'invalid-message'],
  ['an inherited version', '{"__proto__":{"jsonrpc":"2.0","method":"m"}}', 'invalid-message'],
  ['a method that is no text', '{"jsonrpc":"2.0","id":1,"method":["m"]}', 'invalid-message'],
  ['an empty method', '{"jsonrpc":"2.0","id":1,"method":""}', 'invalid-message'],
  ['a null id', '{"jsonrpc":"2.0","id":null,"method":"m"}', 'invalid-message'],
  ['a call without id', '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}', 'invalid-message'],
  [
    'a call with an id in capitals',
    '{"jsonrpc":"2.0","ID":1,"method":"tools/call","params":{}}',
    'invalid-message',
  ],
  [
    'a call without id in a batch',
    '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"tools/call"}]',
    'invalid-message',
  ],
  ['a fraction as id', '{"jsonrpc":"2.0","id":1.5,"method":"m"}', 'invalid-message'],
  ['an id beyond our numbers', '{"jsonrpc":"2.0","id":12345678901234567890,"method":"m"}', 'invalid-message'],
  ['params by position', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["x"]}', 'invalid-message'],
  ['null params', '{"jsonrpc":"2.0","id":1,"method":"m","params":null}', 'invalid-message'],
  ['request and response', '{"jsonrpc":"2.0","id":1,"method":"m","result":{}}', 'invalid-message'],
  ['result and error', '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', 'invalid-message'],
  ['a result without id', '{"jsonrpc":"2.0","result":{}}', 'invalid-message'],
  ['a result that is no object', '{"jsonrpc":"2.0","id":1,"result":1}', 'invalid-message'],
  ['an error that is no object', '{"jsonrpc":"2.0","id":1,"error":"x"}', 'invalid-message'],
  ['neither', '{"jsonrpc":"2.0","id":1}', 'invalid-message'],
  [
    'a response with a call for parsers that ignore case',
    '{"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call"}',
    'invalid-message',
  ],
  ['a method in capitals only', '{"jsonrpc":"2.0","id":1,"METHOD":"m"}', 'invalid-message'],
])('A22 D16: refused, not a fault: %s', (_name, body, kind) => {
  expect(kindOf(body)).toBe(kind);
});

test('A22: depth and batch size have limits', () => {
  const nested = (levels: number) =>
    `{"jsonrpc":"2.0","id":1,"method":"m","params":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}`;
  expect(kindOf(nested(63))).toBe('ok');
  expect(kindOf(nested(64))).toBe('too-deep');
  expect(kindOf('['.repeat(2_000_000) + ']'.repeat(2_000_000))).toBe('too-deep');
  const message = '{"jsonrpc":"2.0","method":"m"}';
  expect(kindOf(`[${Array.from({ length: 50 }, () => message).join()}]`)).toBe('ok');
  expect(kindOf(`[${Array.from({ length: 51 }, () => message).join()}]`)).toBe('batch-too-large');
});

test('a fault keeps the id, tells the code, and repeats nothing of the body', () => {
  const parsed = parseJsonRpcBody('{"jsonrpc":"2.0","id":"a7","method":{"secret":"s3cret"}}');
  expect(parsed).toMatchObject({ ok: false, error: { id: 'a7', code: jsonRpcCodes.invalidRequest } });
  expect(parseJsonRpcBody('s3cret')).toMatchObject({
    ok: false,
    error: { id: null, code: jsonRpcCodes.parseError },
  });
  expect(JSON.stringify([parsed, parseJsonRpcBody('s3cret')])).not.toContain('s3cret');
});

test('A22: whatever the bytes, there is a verdict', () => {
  fc.assert(fc.property(fc.uint8Array(), (body) => typeof parseJsonRpcBody(body).ok === 'boolean'));
  fc.assert(fc.property(fc.json(), (body) => typeof parseJsonRpcBody(body).ok === 'boolean'));
});

test('A24: a twin is found wherever it stands and however it is written; without one nothing is refused', () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  const others = fc.dictionary(fc.stringMatching(/^x[a-z{}[\],:"\\]{0,6}$/), value, { maxKeys: 5 });
  const twin = fc.constantFrom('name', 'Name', 'NAME', 'na\\u006de', '\\u004eame');
  fc.assert(
    fc.property(others, value, value, twin, fc.nat({ max: 5 }), (rest, first, second, key, at) => {
      const folded = Object.keys(rest).map((other) => other.toLowerCase());
      fc.pre(new Set(folded).size === folded.length);
      const members = Object.entries(rest).map(
        ([other, item]) => `${JSON.stringify(other)} : ${JSON.stringify(item)}`,
      );
      const once = [`"name":${JSON.stringify(first)}`, ...members];
      const twice = once.toSpliced(at, 0, `"${key}"\n:${JSON.stringify(second)}`);
      expect(kindOf(call(`"params":{${once.join()}}`))).toBe('ok');
      expect(kindOf(call(`"params":{${twice.join(' , ')}}`))).toBe('duplicate-key');
    }),
  );
});

test('requests, notifications and responses are told apart', () => {
  const kinds = ['"id":1,"method":"m"', '"method":"m"', '"id":1,"result":{}'].map((members) => {
    const parsed = parseJsonRpcBody(`{"jsonrpc":"2.0",${members}}`);
    return parsed.ok && parsed.value.messages.flatMap((one) => [isRequest(one), isResponse(one)]);
  });
  expect(kinds).toEqual([
    [true, false],
    [false, false],
    [false, true],
  ]);
});

test('an error answer always has an id and only the data it was given', () => {
  expect(jsonRpcError(undefined, -32600, 'm')).toEqual({
    jsonrpc: '2.0',
    id: null,
    error: { code: -32600, message: 'm' },
  });
  expect(jsonRpcError(0, -32020, 'm', { header: 'h' })).toEqual({
    jsonrpc: '2.0',
    id: 0,
    error: { code: -32020, message: 'm', data: { header: 'h' } },
  });
  const codes = [-32020, -32601, -32603, jsonRpcCodes.accessDenied, jsonRpcCodes.backendUnavailable];
  expect(codes.map(httpStatusOf)).toEqual([400, 404, 500, 403, 502]);
});
