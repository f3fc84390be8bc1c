import { expect, test } from 'vitest';
import { parseRedirectUri } from './redirect-uri.ts';

test.each([
  ['https://vscode.dev/redirect', 'https'],
  ['http://127.0.0.1:33418/', 'loopback'],
  ['http://localhost:6274/oauth/callback', 'loopback'],
  ['cursor://anysphere.cursor-mcp/oauth/callback', 'private'],
  ['com.example.app:/callback', 'private'],
])('A32: %s is %s', (uri, kind) => {
  expect(parseRedirectUri(uri)).toEqual({ ok: true, value: kind });
});

test.each([
  'javascript:alert(1)',
  'JAVASCRIPT://x/%0aalert(1)',
  'data:text/html,1',
  'view-source:https://good.example',
  'cursor://x#y',
  'cursor://x/../y',
  'cursor://user@x/y',
  'https://*.good.example/cb',
  'https://good.example/a b',
  'https://good.example\\@evil.example/cb',
  'https://127.0.0.1/cb',
  'http://127.1.2.3/cb',
  'callback',
])('A32 D24: %s is none, whoever names it, and the reason does not repeat it', (uri) => {
  const parsed = parseRedirectUri(uri);
  expect(parsed.ok).toBe(false);
  expect(parsed.ok || parsed.error).not.toContain(uri);
});
