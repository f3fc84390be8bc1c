import {
  createMcpHandler,
  fromJsonSchema,
  type JsonSchemaType,
  McpServer,
} from '@modelcontextprotocol/server';
import { expect, test, vi } from 'vitest';
import { protocolVersionKey } from './era.ts';
import type { JsonRpcRequest } from './json-rpc.ts';
import { checkMirroredParams, readMirroredParams } from './mirrored-params.ts';

const mirror = (type: string, header: unknown = 'X') => ({ type, 'x-mcp-header': header });
const schema = (properties: Record<string, unknown>, more: object = {}) => ({
  type: 'object',
  properties,
  ...more,
});
const region = schema({ region: mirror('string', 'Region') });
const deep = schema({ where: schema({ region: mirror('string', 'Region') }) });
const count = schema({ count: mirror('integer', 'Count') });
const sent = (value: string, name = 'Region') => ({ [`Mcp-Param-${name}`]: value });
const encoded = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`;

type Row = readonly [string, object, object, Record<string, string>, 'passes' | 'refused'];

const rows: readonly Row[] = [
  ['the same', region, { region: 'eu' }, sent('eu'), 'passes'],
  ['the same, by another spelling of its name', region, { region: 'eu' }, sent('eu', 'REGION'), 'passes'],
  ['the same in base64', region, { region: 'é' }, sent(encoded('é')), 'passes'],
  ['something else', region, { region: 'eu' }, sent('us'), 'refused'],
  ['something else in base64', region, { region: 'eu' }, sent(encoded('us')), 'refused'],
  ['another case', region, { region: 'eu' }, sent('EU'), 'refused'],
  ['nothing', region, { region: 'eu' }, {}, 'refused'],
  ['nothing of an empty text', region, { region: '' }, {}, 'refused'],
  ['an empty header of an empty text', region, { region: '' }, sent(''), 'passes'],
  ['broken base64', region, { region: 'Hello' }, sent('=?base64?SGVsbG8?='), 'refused'],
  ['no base64', region, { region: 'Hello' }, sent('=?base64?SGVs!!!bG8=?='), 'refused'],
  ['half a sentinel, literally', region, { region: '=?base64?x' }, sent('=?base64?x'), 'passes'],
  ['a header of an argument that is not there', region, {}, sent('eu'), 'passes'],
  ['a header of an argument that is null', region, { region: null }, sent('eu'), 'passes'],
  [
    'a header that nobody declared',
    region,
    { region: 'eu' },
    { ...sent('eu'), ...sent('x', 'Other') },
    'passes',
  ],
  ['deeper down, the same', deep, { where: { region: 'eu' } }, sent('eu'), 'passes'],
  ['deeper down, something else', deep, { where: { region: 'eu' } }, sent('us'), 'refused'],
  ['deeper down, nothing there', deep, { where: 'eu' }, {}, 'passes'],
  ['a number, otherwise written', count, { count: 42 }, sent('42.0', 'Count'), 'passes'],
  ['another number', count, { count: 42 }, sent('43', 'Count'), 'refused'],
  ['a number in hexadecimal', count, { count: 42 }, sent('0x2a', 'Count'), 'refused'],
  ['a text where a number belongs', count, { count: '42' }, sent('42.0', 'Count'), 'refused'],
  ['an integer beyond what is exact', count, { count: 2 ** 53 }, sent('1', 'Count'), 'passes'],
  ['a truth', schema({ a: mirror('boolean') }), { a: true }, sent('true', 'X'), 'passes'],
  ['another truth', schema({ a: mirror('boolean') }), { a: true }, sent('false', 'X'), 'refused'],
  ['a truth in capitals', schema({ a: mirror('boolean') }), { a: true }, sent('TRUE', 'X'), 'refused'],
  ['of the type that is not allowed', schema({ a: mirror('number') }), { a: 1.5 }, sent('2', 'X'), 'refused'],
  ['of an object: no declaration', schema({ a: mirror('object') }), { a: 'b' }, {}, 'passes'],
  ['of no name: no declaration', schema({ a: mirror('string', '') }), { a: 'b' }, {}, 'passes'],
  ['of a name with a space', schema({ a: mirror('string', 'a b') }), { a: 'b' }, {}, 'passes'],
  [
    'of one name for two: no declaration',
    schema({ a: mirror('string', 'X'), b: mirror('string', 'x') }),
    { a: 'b' },
    {},
    'passes',
  ],
  ...['items', 'not', 'additionalProperties'].map(
    (keyword): Row => [
      `with another one under ${keyword}: none holds`,
      schema({ a: mirror('string'), b: { type: 'array', [keyword]: mirror('string', 'Y') } }),
      { a: 'b' },
      {},
      'passes',
    ],
  ),
  ...['anyOf', 'allOf'].map(
    (keyword): Row => [
      `with another one under ${keyword}: none holds`,
      schema({ a: mirror('string') }, { [keyword]: [schema({ a: mirror('string', 'Y') })] }),
      { a: 'b' },
      {},
      'passes',
    ],
  ),
  [
    'with another one under $defs: none holds',
    schema({ a: mirror('string') }, { $defs: { b: mirror('string', 'Y') } }),
    { a: 'b' },
    {},
    'passes',
  ],
  [
    'beside what only looks like one',
    schema({ a: mirror('string') }, { default: { 'x-mcp-header': 'Y' } }),
    { a: 'b' },
    sent('c', 'X'),
    'refused',
  ],
];

const callOf = (args: unknown): JsonRpcRequest => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    name: 'tool',
    arguments: args,
    _meta: {
      [protocolVersionKey]: '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
});

function judge(inputSchema: unknown, args: unknown, headers: Record<string, string>) {
  const given = new Headers(headers);
  return checkMirroredParams(
    readMirroredParams(inputSchema),
    callOf(args),
    (name) => given.get(name) ?? undefined,
  );
}

test.each(rows)(
  'T17: a header that repeats an argument: %s',
  (_name, inputSchema, args, headers, expected) => {
    const judged = judge(inputSchema, args, headers);
    expect(judged.ok ? 'passes' : judged.error.code).toBe(expected === 'passes' ? 'passes' : -32_020);
  },
);

test.each(rows)("the SDK's server judges alike: %s", async (_name, inputSchema, args, headers, expected) => {
  using _quiet = vi.spyOn(console, 'warn').mockReturnValue(undefined);
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 's', version: '1' });
    const config = { inputSchema: fromJsonSchema(inputSchema as JsonSchemaType) };
    server.registerTool('tool', config, () => ({ content: [] }));
    return server;
  });
  const answer = await handler.fetch(
    new Request('http://127.0.0.1/mcp', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'tool',
        ...headers,
      },
      body: JSON.stringify(callOf(args)),
    }),
  );
  const code = /"code":(-\d+)/.exec(await answer.text())?.[1];
  if (expected === 'passes') expect(code).not.toBe('-32020');
  else expect([answer.status, code]).toEqual([400, '-32020']);
});

test('a fault names the header, and repeats nothing of what was sent', () => {
  const judged = judge(region, { region: 's3cret' }, sent('0ther'));
  expect(judged).toMatchObject({ ok: false, error: { id: 1, data: { header: 'Mcp-Param-Region' } } });
  expect(JSON.stringify(judged)).not.toMatch(/s3cret|0ther/);
});

test('what no schema is declares nothing; nor does one that nests without end, or declares without end', () => {
  for (const each of [
    undefined,
    null,
    7,
    'x',
    [],
    true,
    { properties: 7 },
    { properties: [mirror('string')] },
  ])
    expect(readMirroredParams(each)).toEqual([]);
  const bottomless = JSON.parse(
    `${'{"properties":{"a":'.repeat(5000)}${JSON.stringify(mirror('string'))}${'}}'.repeat(5000)}`,
  ) as unknown;
  expect(readMirroredParams(bottomless)).toEqual([]);
  const endless = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, at) => [`a${at}`, mirror('string', `X${at}`)]),
  );
  expect(readMirroredParams(schema(endless))).toEqual([]);
});

test('a property with the name of something inherited is compared by what the arguments say themselves', () => {
  const named = schema(JSON.parse('{"constructor":{"type":"string","x-mcp-header":"C"}}') as object as never);
  expect(judge(named, {}, {}).ok).toBe(true);
  expect(judge(named, { constructor: 'x' }, {}).ok).toBe(false);
});
