import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { protocolVersionKey } from './era.ts';
import { checkHeaderAgreement, decodeMcpHeader, type McpHeaders } from './header-agreement.ts';
import type { JsonObject, JsonRpcMessage } from './json-rpc.ts';

const version = '2026-07-28';
const envelope: JsonObject = {
  [protocolVersionKey]: version,
  'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};
const request = (
  method: string,
  params: JsonObject = {},
  meta: JsonObject | undefined = envelope,
): JsonRpcMessage => ({
  jsonrpc: '2.0',
  id: 1,
  method,
  params: meta === undefined ? params : { ...params, _meta: meta },
});
const legacy = (method: string, params: JsonObject = {}): JsonRpcMessage => ({
  jsonrpc: '2.0',
  id: 1,
  method,
  params,
});
const notification = (method: string, params: JsonObject = {}): JsonRpcMessage => ({
  jsonrpc: '2.0',
  method,
  params,
});
const headers = (
  mcpMethod?: string,
  mcpName?: string,
  protocolVersion: string | undefined = version,
): McpHeaders => ({
  protocolVersion,
  mcpMethod,
  mcpName,
});
const encoded = (text: string) => `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;
const call = request('tools/call', { name: 'echo', arguments: {} });
const none: McpHeaders = {};
const unversioned = (mcpMethod?: string, mcpName?: string): McpHeaders => ({ mcpMethod, mcpName });

const rows: readonly [string, McpHeaders, JsonRpcMessage, number | undefined][] = [
  ['all agree', headers('tools/call', 'echo'), call, undefined],
  ['white space around values', headers(' tools/call\t', ' echo ', ` ${version} `), call, undefined],
  ['the name in base64', headers('tools/call', encoded('echo')), call, undefined],
  ['no name header where none is needed', headers('tools/list'), request('tools/list'), undefined],
  ['a name header where none is needed', headers('tools/list', 'x'), request('tools/list'), undefined],
  [
    'a resource by URI',
    headers('resources/read', 'file:///a'),
    request('resources/read', { uri: 'file:///a' }),
    undefined,
  ],
  ['a call without name in the body', headers('tools/call'), request('tools/call'), undefined],
  ['no version header', unversioned('tools/call', 'echo'), call, -32020],
  ['another version header', headers('tools/call', 'echo', '2025-11-25'), call, -32020],
  ['two version headers joined', headers('tools/call', 'echo', `${version}, ${version}`), call, -32020],
  ['no method header', headers(undefined, 'echo'), call, -32020],
  ['another method', headers('tools/list', 'echo'), call, -32020],
  ['the method in another case', headers('Tools/Call', 'echo'), call, -32020],
  ['an empty method header', headers('', 'echo'), call, -32020],
  ['no name header', headers('tools/call'), call, -32020],
  ['another name', headers('tools/call', 'other'), call, -32020],
  ['the name in another case', headers('tools/call', 'Echo'), call, -32020],
  ['an empty name header', headers('tools/call', ''), call, -32020],
  ['another name in base64', headers('tools/call', encoded('other')), call, -32020],
  ['broken base64', headers('tools/call', '=?base64?ZWNob?='), call, -32020],
  ['base64url', headers('tools/call', '=?base64?-_8=?='), call, -32020],
  ['base64 of broken UTF-8', headers('tools/call', '=?base64?wyg=?='), call, -32020],
  ['another encoding name', headers('tools/call', '=?BASE64?ZWNobw==?='), call, -32020],
  [
    'another URI',
    headers('resources/read', 'file:///b'),
    request('resources/read', { uri: 'file:///a' }),
    -32020,
  ],
  ['a modern header over a bare request', headers('tools/list'), legacy('tools/list'), -32602],
  [
    'a modern header over initialize',
    headers('initialize'),
    legacy('initialize', { protocolVersion: version }),
    -32020,
  ],
  [
    'an envelope whose version is no text',
    headers('tools/list'),
    request('tools/list', {}, { ...envelope, [protocolVersionKey]: 7 }),
    -32602,
  ],
  ['a legacy request', headers(undefined, undefined, '2025-11-25'), legacy('tools/list'), undefined],
  ['a legacy request without headers', none, legacy('tools/list'), undefined],
  [
    'a legacy request is not judged by modern headers',
    headers('other', 'x', '2025-11-25'),
    legacy('tools/list'),
    undefined,
  ],
  ['a bare notification', none, notification('notifications/x'), undefined],
  ['a modern notification by header', headers(), notification('notifications/x'), undefined],
  [
    'a modern notification, other method',
    headers('notifications/y'),
    notification('notifications/x'),
    -32020,
  ],
  [
    'a modern notification, other version',
    headers(undefined, undefined, '2025-11-25'),
    notification('notifications/x', { _meta: envelope }),
    -32020,
  ],
];

test.each(rows)('A24: headers and body: %s', (_name, given, message, code) => {
  const judged = checkHeaderAgreement(given, message);
  expect(judged.ok ? undefined : judged.error.code).toBe(code);
});

test.each(rows)("the SDK's server judges alike: %s", async (_name, given, message, code) => {
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 's', version: '1' });
    server.registerTool('echo', {}, () => ({ content: [] }));
    server.registerResource('a', 'file:///a', {}, () => ({ contents: [{ uri: 'file:///a', text: '' }] }));
    return server;
  });
  const sent = new Headers({
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  });
  if (given.protocolVersion !== undefined) sent.set('mcp-protocol-version', given.protocolVersion);
  if (given.mcpMethod !== undefined) sent.set('mcp-method', given.mcpMethod);
  if (given.mcpName !== undefined) sent.set('mcp-name', given.mcpName);
  const answer = await handler.fetch(
    new Request('http://127.0.0.1/mcp', { method: 'POST', headers: sent, body: JSON.stringify(message) }),
  );
  const text = await answer.text();
  const theirs = /"code":(-\d+)/.exec(text)?.[1];
  if (code === undefined) expect(theirs).not.toBe('-32020');
  else expect([answer.status, Number(theirs)]).toEqual([400, code]);
});

test.each([
  ['plain', 'plain'],
  ['', ''],
  ['=?base64??=', ''],
  ['=?base64?4pyT?=', '✓'],
  ['=?base64?77u/YQ==?=', '\ufeffa'],
  ['=?base64?=', undefined],
  ['=?base64?YQ?=', undefined],
  ['=?base64?YQ==', '=?base64?YQ=='],
  ['caf\u00e9', undefined],
  ['a\u0000b', undefined],
  ['a\nb', undefined],
  ['a'.repeat(8192), 'a'.repeat(8192)],
  ['a'.repeat(8193), undefined],
  [`=?base64?${'A'.repeat(8192)}?=`, undefined],
])('decoding of %j', (header, text) => {
  expect(decodeMcpHeader(header)).toBe(text);
});

test('A24: a name passes exactly when the header says it, for any two names', () => {
  const name = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('echo', 'Echo', ' echo', 'echo\u0000', '=?base64?ZWNobw==?='),
  );
  fc.assert(
    fc.property(name, name, (inBody, inHeader) => {
      const message = request('tools/call', { name: inBody });
      const same = checkHeaderAgreement(headers('tools/call', encoded(inBody)), message);
      expect(same.ok).toBe(inBody.isWellFormed());
      const judged = checkHeaderAgreement(headers('tools/call', encoded(inHeader)), message);
      expect(judged.ok).toBe(inBody === inHeader);
    }),
  );
});

test('a fault names the header and keeps the id, without repeating what was sent', () => {
  const judged = checkHeaderAgreement(headers('tools/call', 's3cret'), call);
  expect(judged).toEqual({
    ok: false,
    error: {
      kind: 'header-mismatch',
      code: -32020,
      message: 'header Mcp-Name does not agree with the body',
      id: 1,
      data: { header: 'Mcp-Name' },
    },
  });
});

test('a response has no headers to agree with', () => {
  expect(checkHeaderAgreement(headers('x', 'y'), { jsonrpc: '2.0', id: 1, result: {} }).ok).toBe(true);
});
