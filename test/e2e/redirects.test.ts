/** How a sign-in ends, in a real browser: at each kind of redirect, and when it does not come to its end. */
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CONTOSO_TENANT_ID, GATEWAY_CLIENT_ID } from '@valetkey/entra-emulator';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAuthority, createServerCertificate } from '@valetkey/entra-emulator/certificates';
import { decide, enterAtEntra, launchChromium, openPersonsPage } from '../support/chromium.ts';
import { type LoopbackCallback, openLoopbackCallback } from '../support/loopback-callback.ts';
import { authorizeRequest, redeemCode, registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
let browser: Browser;
const loopbacks: LoopbackCallback[] = [];
/** Stands in for vscode.dev, and for any other website. */
let website: { readonly port: number; readonly asked: string[]; close(): Promise<void> };

beforeAll(async () => {
  [product, website] = await Promise.all([startProduct(), openWebsite()]);
  browser = await launchChromium([
    `--host-resolver-rules=MAP vscode.dev:443 127.0.0.1:${website.port}`,
    '--ignore-certificate-errors',
  ]);
});

afterAll(async () => {
  await browser.close();
  await Promise.all([product.close(), website.close(), ...loopbacks.map((loopback) => loopback.close())]);
});

async function openLoopback(): Promise<LoopbackCallback> {
  const loopback = await openLoopbackCallback();
  loopbacks.push(loopback);
  return loopback;
}

async function openWebsite() {
  const now = Date.now();
  const leaf = createServerCertificate(createAuthority(now), now);
  const asked: string[] = [];
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const server = createSecureServer({ cert: leaf.certificatePem, key }, (req, res) => {
    asked.push(`https://${req.headers.host}${req.url}`);
    res.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>arrived</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port: (server.address() as AddressInfo).port, asked, close };
}

/** VS Code's states are base64 with a query of their own in them; `%2B` must not become `+` on the way. */
const vscodeState = 'q+3/Zw==&nonce=a%2Fb c%2Bd';

const redirects = [
  'http://127.0.0.1:port/callback',
  'https://vscode.dev/redirect',
  'cursor://anysphere.cursor-mcp/oauth/callback',
];

/** Resolves with the first address of this redirect that the browser goes to, whether or not it is served. */
function arrivalAt(page: Page, redirectUri: string): Promise<string> {
  return page
    .waitForEvent('request', (request) => request.url().startsWith(`${redirectUri}?`))
    .then((request) => request.url());
}

async function expectTokens(
  clientId: string,
  request: { readonly verifier: string; readonly state: string },
  redirectUri: string,
  arrived: string,
): Promise<void> {
  const query = new URLSearchParams(arrived.slice(arrived.indexOf('?') + 1));
  expect(query.get('state')).toBe(request.state);
  expect(query.get('iss')).toBe(product.url);
  const code = query.get('code') ?? '';
  const { status } = await redeemCode(product, { clientId, code, verifier: request.verifier, redirectUri });
  expect(status).toBe(200);
}

test.each(redirects)(
  'A44 A48 D46 D65: a sign-in ends at %s with the state byte for byte, with a password and straight through',
  async (shape) => {
    const redirectUri = shape.includes(':port') ? (await openLoopback()).url : shape;
    const clientId = await registerClient(product, { redirect_uris: [redirectUri] });
    const page = await openPersonsPage(browser);
    const complaints: string[] = [];
    page.context().on('console', (message) => complaints.push(message.text()));

    const first = authorizeRequest(product, clientId, { redirect_uri: redirectUri, state: vscodeState });
    await page.goto(first.url);
    await decide(page, 'allow');
    const [arrived] = await Promise.all([
      arrivalAt(page, redirectUri),
      enterAtEntra(page, product.people.reader),
    ]);
    await expectTokens(clientId, first, redirectUri, arrived);

    // Entra knows the person now: Allow leads over four redirects straight to the client. Chromium judges each of
    // them by the consent page's `form-action`, where there is one.
    const tab = await page.context().newPage();
    const second = authorizeRequest(product, clientId, { redirect_uri: redirectUri, state: vscodeState });
    await tab.goto(second.url);
    const [arrivedAgain] = await Promise.all([arrivalAt(tab, redirectUri), decide(tab, 'allow')]);
    await expectTokens(clientId, second, redirectUri, arrivedAgain);
    expect(complaints.filter((text) => /content security policy/i.test(text))).toEqual([]);
    await page.context().close();
  },
);

test('A44: the website behind an https redirect is really reached', async () => {
  const redirectUri = 'https://vscode.dev/redirect';
  const clientId = await registerClient(product, { redirect_uris: [redirectUri, 'http://127.0.0.1/'] });
  const page = await openPersonsPage(browser);
  await page.goto(authorizeRequest(product, clientId, { redirect_uri: redirectUri }).url);
  await decide(page, 'allow');
  await enterAtEntra(page, product.people.reader);
  await page.waitForURL(`${redirectUri}?**`);
  expect(await page.title()).toBe('arrived');
  expect(website.asked).toContain(page.url());
  await page.context().close();
});

async function openConsent(state = 'x+/='): Promise<{ page: Page; loopback: LoopbackCallback }> {
  const loopback = await openLoopback();
  const clientId = await registerClient(product, { redirect_uris: [loopback.url] });
  const page = await openPersonsPage(browser);
  await page.goto(authorizeRequest(product, clientId, { redirect_uri: loopback.url, state }).url);
  return { page, loopback };
}

test('A20 D28: Cancel on the Entra page ends at the client, with access_denied and its state', async () => {
  const { page, loopback } = await openConsent();
  await decide(page, 'allow');
  await page.locator('#idBtn_Back').click();
  const query = new URLSearchParams(await loopback.nextQuery());
  expect(Object.fromEntries(query)).toMatchObject({
    error: 'access_denied',
    state: 'x+/=',
    iss: product.url,
  });
  expect(query.has('code')).toBe(false);
  await page.context().close();
});

test('A41 D51: Deny shows a page, which leads on to the client with access_denied', async () => {
  const { page, loopback } = await openConsent();
  await decide(page, 'deny');
  expect(await page.innerText('h1')).toBe('Access denied');
  const before = product.emulator.control.requestLog().length;
  await page.locator('#continue').click();
  const query = new URLSearchParams(await loopback.nextQuery());
  expect(Object.fromEntries(query)).toMatchObject({ error: 'access_denied', state: 'x+/=' });
  expect(product.emulator.control.requestLog(), 'Entra is not asked').toHaveLength(before);
  await page.context().close();
});

test.each([
  // 65001: an administrator has not consented. 53003: Conditional Access says no. 7000222: our secret has expired.
  { code: 65001, endpoint: 'authorize', error: 'access_denied' },
  { code: 53003, endpoint: 'token', error: 'access_denied' },
  { code: 7000222, endpoint: 'token', error: 'server_error' },
] as const)(
  'A20: AADSTS$code at the $endpoint endpoint is explained on a page that leads on to the client',
  async ({ code, endpoint, error }) => {
    const { username } = product.people.reader;
    const match = {
      endpoint,
      clientId: GATEWAY_CLIENT_ID,
      ...(endpoint === 'authorize' ? { username } : {}),
    };
    product.emulator.control.setFault(match, { kind: 'aadsts', code }, 1);
    const { page, loopback } = await openConsent();
    await decide(page, 'allow');
    await enterAtEntra(page, product.people.reader);
    await page.waitForURL(`${product.url}/auth/callback?**`);
    expect(await page.innerText('#code')).toBe(`AADSTS${code}`);
    expect(await page.innerText('main')).toMatch(/Microsoft Entra correlation: [0-9a-f-]{36}/);
    expect(await page.innerText('main')).not.toContain(CONTOSO_TENANT_ID);
    await page.locator('#continue').click();
    const query = new URLSearchParams(await loopback.nextQuery());
    expect(Object.fromEntries(query)).toMatchObject({ error, state: 'x+/=' });
    await page.context().close();
  },
);

test('A44: a sign-in in a popup still has its opener at the end, as web clients need it', async () => {
  const site = await openWebClient();
  const redirectUri = `${site.origin}/callback`;
  const clientId = await registerClient(product, { redirect_uris: [redirectUri] });
  const page = await openPersonsPage(browser);
  const request = authorizeRequest(product, clientId, { redirect_uri: redirectUri });
  await page.goto(`${site.origin}/?${new URLSearchParams({ open: request.url })}`);
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.locator('#connect').click()]);
  await decide(popup, 'allow');
  await enterAtEntra(popup, product.people.reader);
  await page.locator('#answer').filter({ hasText: 'code=' }).waitFor();
  await expectTokens(clientId, request, redirectUri, await page.innerText('#answer'));
  await page.context().close();
  await site.close();
});

/** A web client as claude.ai is one: it opens a window, and its callback page there reports to the opener. */
async function openWebClient() {
  const client = `<!doctype html><button id="connect">Connect</button><pre id="answer"></pre><script>
    connect.onclick = () => open(new URLSearchParams(location.search).get('open'), 'sign-in', 'width=500,height=600');
    addEventListener('message', (event) => { if (event.origin === location.origin) answer.textContent = event.data; });
  </script>`;
  const callback = `<!doctype html><h1 id="callback">One moment</h1><script>
    if (opener) { opener.postMessage(location.href, location.origin); close(); } else callback.textContent = 'no opener';
  </script>`;
  const listener: RequestListener = (req, res) => {
    const isCallback = req.url?.startsWith('/callback') === true;
    res.writeHead(200, { 'content-type': 'text/html' }).end(isCallback ? callback : client);
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
