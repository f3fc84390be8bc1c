import { expect, test } from 'vitest';
import { type ConsentView, renderConsentPage } from './page.ts';
import { describeRedirect } from './redirect-display.ts';
import { renderDecisionRefusedPage, renderDeniedPage, renderExpiredPage } from './result-pages.ts';

const view: ConsentView = {
  clientName: 'Claude Code',
  clientId: 'client-1',
  clientUri: 'https://claude.ai/',
  origin: { kind: 'verified', host: 'claude.ai' },
  redirectUri: 'https://claude.ai/api/mcp/auth_callback',
  backendTitle: 'Snippets',
  resource: 'https://mcp.contoso.com/snippets/mcp',
  scopes: [{ name: 'snippets.read', description: 'Read snippets' }],
  entraScopes: ['User.Read'],
  csrfToken: 'the-token',
  formAction: '/consent/question-1',
  rememberDays: 30,
};
const render = (change: Partial<ConsentView> = {}) => renderConsentPage({ ...view, ...change }).markup;

test('A39: all facts are on the page, with Allow, Deny and a ticked box in one form', () => {
  const markup = render();
  const facts = [
    'Claude Code',
    'https://claude.ai/',
    'Verified: claude.ai',
    '<code id="client-id">client-1</code>',
    '<code id="redirect-uri">https://claude.ai/api/mcp/auth_callback</code>',
    'https://mcp.contoso.com/snippets/mcp',
    'snippets.read',
    'Read snippets',
    'User.Read',
    '30 days',
    'method="post" action="/consent/question-1"',
    'name="csrf" value="the-token"',
    'id="allow" name="decision" value="allow"',
    'id="deny" name="decision" value="deny"',
    'name="remember" value="yes" checked',
  ];
  for (const fact of facts) expect(markup).toContain(fact);
  expect(markup).not.toMatch(/undefined|<script/);
});

test('a verified client that lives on the web is shown without a caution', () => {
  expect(render()).not.toContain('class="note"');
});

test.each([
  ['unverified', { origin: { kind: 'unverified' } }, 'nobody has checked its name'],
  ['loopback', { redirectUri: 'http://127.0.0.1:33418/' }, 'a program on this computer'],
  ['a private scheme', { redirectUri: 'cursor://x/cb' }, 'opens cursor:// links'],
] as const)('D52: %s gets a calm caution', (_, change, text) => {
  expect(render(change)).toContain(text);
});

test('the website of an unverified client is no link, and an international host is shown in ASCII', () => {
  const markup = render({ origin: { kind: 'unverified' }, clientUri: 'https://сlaude.ai/' });
  expect(markup).not.toContain('<a ');
  expect(markup).toContain('https://xn--');
});

test('a name cannot push the question out of sight', () => {
  expect(render({ clientName: 'A'.repeat(5000) })).not.toContain('A'.repeat(80));
});

test('before the sign-in the person is told that it comes', () => {
  expect(render()).toContain('You sign in with Microsoft next');
});

test.each([
  ['https://vscode.dev/redirect', 'web', 'vscode.dev'],
  ['https://аpple.com/cb', 'web', 'xn--pple-43d.com'],
  ['http://localhost:6274/oauth/callback', 'loopback', 'localhost:6274'],
  ['http://127.0.0.1/', 'loopback', '127.0.0.1'],
  ['http://[::1]:80/', 'loopback', '[::1]'],
  ['http://localhost.evil.example/', 'web', 'localhost.evil.example'],
  ['https://localhost@evil.example/', 'web', 'evil.example'],
  ['cursor://anysphere.cursor-mcp/oauth/callback', 'app', 'cursor://'],
  ['com.example.app:/cb', 'app', 'com.example.app://'],
])('redirect %s is named %s %s', (redirectUri, kind, host) => {
  expect(describeRedirect(redirectUri)).toEqual({ kind, host });
});

test('A41: the page after Deny goes on to the client', () => {
  const { markup } = renderDeniedPage({ clientName: '<b>X', continueUrl: '/authorize/q?a=1&b=2' });
  expect(markup).toContain('content="3;url=/authorize/q?a=1&amp;b=2"');
  expect(markup).not.toContain('<b>X');
  // Closed before, the client would never hear of it.
  expect(markup).not.toContain('close this page');
});

test('A43: the pages for refused and for spent answers give the request id and no reason to an attacker', () => {
  const wrong = renderDecisionRefusedPage({ refusal: 'csrf-wrong', requestId: 'req-1' }).markup;
  expect(wrong).toContain('req-1');
  expect(renderDecisionRefusedPage({ refusal: 'origin-foreign', requestId: 'req-1' }).markup).toBe(wrong);
  expect(renderExpiredPage({ requestId: 'req-2' }).markup).toContain('req-2');
});
