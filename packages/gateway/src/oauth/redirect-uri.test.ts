import { expect, test } from 'vitest';
import { checkRedirectUri, judgeRedirectUris } from './redirect-uri.ts';

const cursor = 'cursor://anysphere.cursor-mcp/oauth/callback';
const privateUse = new Set([cursor]);

test.each([
  ['https://vscode.dev/redirect', 'https'],
  ['https://claude.ai/api/mcp/auth_callback?x=1', 'https'],
  ['http://127.0.0.1/', 'loopback'],
  ['http://127.0.0.1:33418/', 'loopback'],
  ['http://localhost:6274/oauth/callback', 'loopback'],
  ['http://[::1]:8080/cb', 'loopback'],
  [cursor, 'private'],
])('A32: %s is accepted as %s', (uri, kind) => {
  expect(checkRedirectUri(uri, privateUse)).toEqual({ ok: true, value: kind });
});

test.each([
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'data:text/html,<script>1</script>',
  'file:///etc/passwd',
  'vbscript:x',
  'http://evil.example/cb',
  'http://127.0.0.1.evil.example/cb',
  'http://localhost.evil.example/cb',
  'https://user:pass@good.example/cb',
  'https://good.example/cb#fragment',
  'https://good.example/cb#',
  'https://good.example/a/../cb',
  'https://good.example/a/%2e%2e/cb',
  'https://good.example/a/%2E./cb',
  'https://good.example/a%2f..%2fcb',
  'https://good.example\\@evil.example/cb',
  'https://good.example/cb\n',
  ' https://good.example/cb',
  'https://gööd.example/cb',
  'https://localhost/cb',
  'cursor://anysphere.cursor-mcp/oauth/callback/',
  'cursor://anysphere.cursor-mcp/oauth/callback?x=1',
  'CURSOR://anysphere.cursor-mcp/oauth/callback',
  'myapp://callback',
  '//good.example/cb',
  '/cb',
  '',
  `https://good.example/${'a'.repeat(3000)}`,
  42,
  null,
  { toString: () => 'https://good.example' },
])('A32 D24: %s is refused', (uri) => {
  expect(checkRedirectUri(uri, privateUse).ok).toBe(false);
});

test('D24: Cursor registers three redirects; one that is refused does not cost the others', () => {
  const judged = judgeRedirectUris(
    [cursor, 'https://www.cursor.com/agents/mcp/oauth/callback', 'evil://x'],
    privateUse,
  );
  expect(judged.accepted).toEqual([cursor, 'https://www.cursor.com/agents/mcp/oauth/callback']);
  expect(judged.refused).toMatchObject([{ uri: 'evil://x' }]);
  expect(judged.applicationType).toBe('native');
});

test('a client with https redirects alone is a web client', () => {
  expect(judgeRedirectUris(['https://vscode.dev/redirect'], privateUse).applicationType).toBe('web');
});
