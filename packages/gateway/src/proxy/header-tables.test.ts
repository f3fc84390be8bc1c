import { expect, test } from 'vitest';
import {
  createRequestHeaderFilter,
  createResponseHeaderFilter,
  neverToBackend,
  neverToBackendPrefixes,
  neverToClient,
} from './header-tables.ts';

// One of each for all tests, as for all requests: what is remembered of one name must not tell on another.
const passToBackend = createRequestHeaderFilter();
const passToClient = createResponseHeaderFilter();
const names = (headers: string[]) => headers.filter((_each, index) => index % 2 === 0);

test.each(Object.keys(neverToBackend))('A52 A53 D42: a client cannot send %s to a backend', (name) => {
  const spellings = [name, name.toUpperCase(), name.replaceAll('-', '_')];
  expect(passToBackend(spellings.flatMap((each) => [each, 'evil']))).toEqual([]);
});

test.each(neverToBackendPrefixes)('A53 GHSA-g53w-w6mj-hrpp: nothing that begins with %s passes', (prefix) => {
  const spellings = [
    `${prefix}identity`,
    `${prefix}IDENTITY`.toUpperCase(),
    `${prefix}new-thing`.replaceAll('-', '_'),
  ];
  expect(passToBackend(spellings.flatMap((each) => [each, 'evil']))).toEqual([]);
});

test('what Connection lists is for this connection only', () => {
  const headers = [
    'Connection',
    'close, X-Hop',
    'x-hop',
    '1',
    'X_Hop',
    '2',
    'Upgrade',
    'h2c',
    'Keep-Alive',
    '5',
    'a',
    'b',
  ];
  expect(passToBackend(headers)).toEqual(['a', 'b']);
});

test('the configured credential header is dropped from clients', () => {
  expect(
    createRequestHeaderFilter(['x-backend-key'])(['X-Backend-Key', 'guess', 'X_BACKEND_KEY', 'guess']),
  ).toEqual([]);
});

test('what is dropped this time only passes again the next time', () => {
  const headers = ['Traceparent', 'a', 'X_Hint', 'b'];
  expect(passToBackend(headers, ['traceparent', 'x-hint'])).toEqual([]);
  expect(passToBackend(headers)).toEqual(headers);
});

test('MCP, trace and unknown headers pass unchanged, duplicates and case included', () => {
  const headers = [
    ['Accept', 'application/json, text/event-stream'],
    ['MCP-Protocol-Version', '2026-07-28'],
    ['Mcp-Method', 'tools/call'],
    ['Mcp-Name', '=?base64?w6k=?='],
    ['Mcp-Param-Region', 'EU'],
    ['mcp-param-unknown', 'x'],
    ['Mcp-Session-Id', 's1'],
    ['Last-Event-ID', '7'],
    ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
    ['tracestate', 'a=1'],
    ['X-Tenant-Hint', '1'],
    ['X-Tenant-Hint', '2'],
  ].flat();
  expect(passToBackend(headers)).toEqual(headers);
  expect(names(headers)).toHaveLength(12);
});

test.each(Object.keys(neverToClient))('a backend cannot send %s to a client', (name) => {
  expect(passToClient({ [name]: 'evil' })).toEqual({});
});

test('a backend cannot open the gateway to other origins, nor speak in its name', () => {
  const headers = {
    'access-control-allow-origin': '*',
    'access-control-allow-credentials': 'true',
    'x-valetkey-identity': 'e',
    connection: 'x-hop',
    'x-hop': '1',
    'transfer-encoding': 'chunked',
    'content-type': 'application/json',
    'mcp-session-id': 's1',
    'retry-after': '3',
  };
  expect(passToClient(headers)).toEqual({
    'content-type': 'application/json',
    'mcp-session-id': 's1',
    'retry-after': '3',
  });
});
