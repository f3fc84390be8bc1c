import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkDecisionRequest } from '@valetkey/gateway/consent/decision-request';
import { createCsrfToken } from '@valetkey/gateway/consent/csrf';
import { type ConsentView, renderConsentPage } from '@valetkey/gateway/consent/page';
import { renderDeniedPage } from '@valetkey/gateway/consent/result-pages';
import { parseForm, readBody } from '@valetkey/gateway/http/body';
import { createClientIp } from '@valetkey/gateway/http/client-ip';
import { findCookie, readCookies, serializeCookie } from '@valetkey/gateway/http/cookies';
import { createRouter } from '@valetkey/gateway/http/dispatch';
import type { Exchange, Route } from '@valetkey/gateway/http/exchange';
import { createIconRoute } from '@valetkey/gateway/http/pages/icon';
import { renderErrorPage } from '@valetkey/gateway/http/pages/error-page';
import { createRateLimiter } from '@valetkey/gateway/http/rate-limit';
import { sendHtml, sendJson, sendRedirect } from '@valetkey/gateway/http/respond';
import { closeGracefully, createHttpServer, listen } from '@valetkey/gateway/http/server';
import { launchChromium } from '../support/chromium.ts';
import { xssCorpus } from '../support/xss-corpus.ts';

/** Set to a folder to look at the screenshots; without it they go to a temporary one. */
const { SCREENSHOTS } = process.env;

const plain: ConsentView = {
  clientName: 'Claude Code',
  clientId: 'https://claude.ai/oauth/claude-code-client-metadata',
  clientUri: 'https://claude.ai/',
  origin: { kind: 'verified', host: 'claude.ai' },
  redirectUri: 'http://localhost:54213/callback',
  backendTitle: 'Contoso Snippets',
  resource: 'https://mcp.contoso.com/snippets/mcp',
  scopes: [
    { name: 'snippets.read', description: 'Read the code snippets that you can see' },
    { name: 'snippets.write', description: 'Save new snippets and change your own' },
  ],
  entraScopes: ['openid', 'profile', 'offline_access', 'User.Read'],
  csrfToken: 'x',
  formAction: '/consent',
  rememberDays: 30,
};

const csrfKey = randomBytes(32);
const interactionId = 'interaction-1';
const shown = { view: plain };
let publicUrl = '';
let otherUrl = '';
let browser: Browser;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  publicUrl = await serve();
  otherUrl = await serve();
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
  await Promise.all(closers.map((close) => close()));
});

/** Two of these run: one is ours, the other a foreign site (another port is another origin). */
async function serve(): Promise<string> {
  const own = { url: '' };
  const row = (methods: string[], path: string, handler: Route['handler']): Route => ({
    methods,
    path,
    cors: 'none',
    maxBodyBytes: 10_000,
    handler,
  });
  const routes = [
    createIconRoute(),
    row(['GET'], '/consent', (exchange) => {
      exchange.res.setHeader('Set-Cookie', serializeCookie(publicUrl, 'browser', 'browser-1'));
      const csrfToken = createCsrfToken(csrfKey, 'browser-1', interactionId);
      sendHtml(exchange, 200, renderConsentPage({ ...shown.view, csrfToken }));
    }),
    row(['POST'], '/consent', (exchange) => answer(exchange)),
    row(['GET'], '/denied', (exchange) =>
      sendHtml(exchange, 200, renderDeniedPage({ clientName: shown.view.clientName, continueUrl: '/done' })),
    ),
    row(['GET'], '/error', (exchange) =>
      sendHtml(
        exchange,
        403,
        renderErrorPage({
          title: 'You are not assigned to this application',
          explanation: 'Microsoft Entra ID knows you, but your administrator has not given you access yet.',
          whatYouCanDo: 'Ask your administrator to assign you to “Contoso MCP”.',
          forOperator: 'Enterprise applications → Contoso MCP → Users and groups → Add assignment.',
          requestId: exchange.id,
          entraCorrelationId: '7d0c7b7e-7e51-4a52-9e4a-2f6a3a1f6a10',
          code: 'AADSTS50105',
        }),
      ),
    ),
    row(['GET'], '/done', (exchange) => sendJson(exchange, 200, { done: true })),
    row(['GET'], '/attack', (exchange) => {
      exchange.res.setHeader('Content-Type', 'text/html');
      exchange.res.end(
        `<iframe name="framed" src="${publicUrl}/consent"></iframe><form method="post" action="${publicUrl}/consent">
         <input name="csrf" value="${createCsrfToken(csrfKey, 'browser-1', interactionId)}">
         <button name="decision" value="allow" id="go">go</button></form>`,
      );
    }),
  ];
  const server = createHttpServer((req, res) => router(req, res), { requestTimeoutMs: 5000 });
  const { port } = await listen(server, '127.0.0.1', 0);
  own.url = `http://127.0.0.1:${port}`;
  const limit = { requests: 1000, windowSeconds: 1 };
  const router = createRouter(routes, {
    publicUrl: own.url,
    clientIp: createClientIp([]),
    limiter: createRateLimiter(
      { register: limit, authorize: limit, token: limit, consent: limit },
      { nowMs: Date.now },
    ),
    allowedOrigins: 'any',
    log: pino({ enabled: false }),
    random: randomBytes,
  });
  closers.push(() => closeGracefully(server, 100));
  return own.url;
}

async function answer(exchange: Exchange): Promise<void> {
  const { headers, method = '' } = exchange.req;
  const body = await readBody(exchange, 10_000);
  const form = parseForm(headers['content-type'], body.ok ? body.value : new Uint8Array());
  const result = checkDecisionRequest({
    method,
    headers,
    publicUrl,
    form: form.ok ? form.value : new Map(),
    browserId: findCookie(publicUrl, readCookies(headers.cookie), 'browser'),
    csrfKey,
    interactionId,
  });
  if (!result.ok) return sendJson(exchange, 403, { refusal: result.error });
  // Onward to another origin, as after a real Allow.
  if (result.value.decision === 'allow') return sendRedirect(exchange, `${otherUrl}/done`);
  return sendRedirect(exchange, `${publicUrl}/denied`);
}

/** A page that notes whatever must not happen. */
async function openPage(
  options: Parameters<Browser['newPage']>[0] = {},
): Promise<{ page: Page; incidents: string[] }> {
  const page = await browser.newPage(options);
  const incidents: string[] = [];
  page.on('dialog', (dialog) => {
    incidents.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => incidents.push(`console ${message.text()}`));
  page.on('pageerror', (error) => incidents.push(`error ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(publicUrl)) incidents.push(`request ${request.url()}`);
  });
  return { page, incidents };
}

/** The document without its texts: what a payload must not change. A string, since the page has its own world. */
const readShape = `Array.from(document.querySelectorAll('*'), (element) =>
  element.tagName + ' ' + Array.from(element.attributes, (attribute) => attribute.name).sort().join(' ')).join('\\n')`;
const readLinkProtocols = `Array.from(document.links, (link) => link.protocol)`;

/** One text in every field at once. */
function fillEveryField(text: string, redirectUri: string): ConsentView {
  return {
    ...plain,
    clientName: text,
    clientId: text,
    clientUri: text,
    origin: { kind: 'verified', host: text },
    redirectUri,
    backendTitle: text,
    resource: text,
    scopes: [{ name: text, description: text }],
    entraScopes: [text, text],
    formAction: text,
  };
}

test.each([
  ['as it is', ''],
  ['behind a private scheme', 'cursor://'],
])('A39 D52 FastMCP XSS: every field takes the whole corpus as text; redirect URI %s', async (_, prefix) => {
  const { page, incidents } = await openPage();
  const openWith = async (text: string): Promise<string> => {
    shown.view = fillEveryField(text, prefix + text);
    await page.goto(`${publicUrl}/consent`);
    return page.evaluate(readShape);
  };
  // Whether our own markup has a link or a caution depends on the kind of value: these are all its forms.
  const forms = new Set<string>();
  for (const text of ['text', 'https://contoso.com/', 'http://localhost/']) forms.add(await openWith(text));

  for (const payload of xssCorpus) {
    const shape = await openWith(payload);
    expect(forms.has(shape), `${payload} changed the document:\n${shape}`).toBe(true);
    expect(await page.evaluate('window.pwned')).toBeUndefined();
    const protocols = await page.evaluate<string[]>(readLinkProtocols);
    expect(protocols.filter((protocol) => protocol !== 'https:' && protocol !== 'http:')).toEqual([]);
  }
  expect(incidents).toEqual([]);
  await page.close();
});

test('A39: the page shows all that a person needs, styled by our own sheet, without a script or request', async () => {
  shown.view = plain;
  const { page, incidents } = await openPage();
  await page.goto(`${publicUrl}/consent`);
  const content = await page.innerText('main');
  for (const part of [
    'Claude Code',
    'https://claude.ai/',
    'Verified: claude.ai',
    plain.clientId,
    plain.redirectUri,
    'An application on this computer (localhost:54213)',
    'Read the code snippets that you can see',
    'snippets.write',
  ])
    expect(content).toContain(part);
  expect(await page.locator('input[name=remember]').isChecked()).toBe(true);
  expect(await page.evaluate('getComputedStyle(document.body).display')).toBe('flex');
  expect(incidents).toEqual([]);
  await page.close();
});

test('A43 D65: Allow posts with our Origin and its redirects reach another origin', async () => {
  shown.view = plain;
  const page = await browser.newPage();
  await page.goto(`${publicUrl}/consent`);
  const posted = page.waitForRequest((request) => request.method() === 'POST');
  await page.click('#allow');
  expect((await (await posted).allHeaders()).origin).toBe(publicUrl);
  await page.waitForURL(`${otherUrl}/done`);
  await page.close();
});

test('A41: Deny shows a page that goes on by itself', async () => {
  shown.view = plain;
  const page = await browser.newPage();
  await page.goto(`${publicUrl}/consent`);
  await page.click('#deny');
  await page.waitForURL(`${publicUrl}/denied`);
  expect(await page.innerText('h1')).toBe('Access denied');
  await page.waitForURL(`${publicUrl}/done`);
  await page.close();
});

test('Enter in the form never allows', async () => {
  shown.view = plain;
  const page = await browser.newPage();
  await page.goto(`${publicUrl}/consent`);
  const posted = page.waitForRequest((request) => request.method() === 'POST');
  await page.focus('input[name=remember]');
  await page.keyboard.press('Enter');
  expect((await posted).postData()).toContain('decision=deny');
  await page.close();
});

test('A43 D53: a foreign site can neither frame the page nor post the form, even with the cookie and the token', async () => {
  shown.view = plain;
  const page = await browser.newPage();
  await page.goto(`${publicUrl}/consent`);
  await page.goto(`${otherUrl}/attack`);
  const framed = page.frame('framed');
  expect(await framed?.locator('#allow').count()).toBe(0);
  const response = page.waitForResponse((each) => each.request().method() === 'POST');
  await page.click('#go');
  const refused = await response;
  expect(refused.status()).toBe(403);
  expect(await refused.json()).toEqual({ refusal: 'origin-foreign' });
  await page.close();
});

const unverified: ConsentView = {
  ...plain,
  clientName: 'Cursor',
  clientId: 'jqzYd2m5cH7Xw1K0bV9sRg',
  clientUri: 'https://cursor.com',
  origin: { kind: 'unverified' },
  redirectUri: 'cursor://anysphere.cursor-mcp/oauth/callback',
};

test.each([
  ['desktop', 900, 'light', '/consent', plain],
  ['dark', 900, 'dark', '/consent', plain],
  ['phone', 390, 'light', '/consent', unverified],
  ['phone-dark', 390, 'dark', '/consent', unverified],
  [
    'narrow',
    320,
    'light',
    '/consent',
    {
      ...plain,
      clientName: 'A'.repeat(300),
      origin: { kind: 'verified', host: `${'v'.repeat(60)}.example` },
      redirectUri: `https://${'b'.repeat(60)}.example/${'c'.repeat(400)}`,
    },
  ],
  ['error', 900, 'light', '/error', plain],
  ['denied-dark', 390, 'dark', '/denied', plain],
] as const)(
  '%s: nothing is cut off at %i px, and each control is large enough to touch',
  async (name, width, scheme, path, view) => {
    shown.view = view;
    const page = await browser.newPage({
      viewport: { width, height: 844 },
      colorScheme: scheme,
      deviceScaleFactor: 2,
    });
    await page.goto(publicUrl + path);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    for (const button of await page.locator('button, .button').all())
      expect((await button.boundingBox())?.height).toBeGreaterThanOrEqual(44);
    const folder = SCREENSHOTS ?? (await mkdtemp(join(tmpdir(), 'consent-')));
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
    await page.close();
  },
);
