/** When a remembered Allow may answer for a person, and when they are asked again: a real browser says who navigates. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { decide, launchChromium, openPersonsPage, pickAtEntra } from '../support/chromium.ts';
import { type LoopbackCallback, openLoopbackCallback } from '../support/loopback-callback.ts';
import { authorizeRequest, redeemCode, registerClient } from '../support/oauth-client.ts';
import { type Person, type Product, snippetsBackend, startProduct } from '../support/product.ts';

const scopes = {
  'snippets.use': 'Read and save your text snippets',
  'snippets.share': 'Share your snippets',
};

let product: Product;
let browser: Browser;
let loopback: LoopbackCallback;
let otherLoopback: LoopbackCallback;

beforeAll(async () => {
  [browser, loopback, otherLoopback, product] = await Promise.all([
    launchChromium(),
    openLoopbackCallback(),
    openLoopbackCallback(),
    startProduct({ backends: (upstream) => ({ snippets: { ...snippetsBackend(upstream), scopes } }) }),
  ]);
});

afterEach(() => {
  product.time.aheadMs = 0;
});

afterAll(async () => {
  await browser.close();
  await Promise.all([product.close(), loopback.close(), otherLoopback.close()]);
});

/** Any port of its loopback redirect is the client's; each port is a redirect of its own. */
const register = () => registerClient(product, { redirect_uris: ['http://127.0.0.1/callback'] });

interface Ask {
  readonly scope?: string;
  readonly redirectUri?: string;
}

function ask(clientId: string, { scope = 'snippets.use', redirectUri = loopback.url }: Ask = {}) {
  return authorizeRequest(product, clientId, { scope, redirect_uri: redirectUri });
}

/** A browser whose person has allowed the client before. */
async function rememberedBrowser(
  options: { readonly remember?: boolean; readonly scope?: string; readonly person?: Person } = {},
): Promise<{ context: BrowserContext; clientId: string }> {
  const clientId = await register();
  const page = await openPersonsPage(browser);
  await page.goto(ask(clientId, options).url);
  await decide(page, 'allow', { remember: options.remember ?? true });
  await pickAtEntra(page, options.person ?? product.people.reader);
  await arrive(page);
  return { context: page.context(), clientId };
}

/** @returns the code at the end of a sign-in. */
async function arrive(page: Page, at: LoopbackCallback = loopback): Promise<string> {
  await page.locator('#done').waitFor();
  const code = new URLSearchParams(await at.nextQuery()).get('code');
  if (code === null) throw new Error(`the sign-in ended at ${page.url()}`);
  return code;
}

async function expectAsked(page: Page): Promise<void> {
  await page.waitForURL(`${product.url}/consent/*`);
  expect(await page.locator('#allow').isVisible()).toBe(true);
}

test('A40 A42 D63: a remembered Allow answers for the same client, redirect and scopes, again and again', async () => {
  const { context, clientId } = await rememberedBrowser();
  for (const _ of [1, 2]) {
    const page = await context.newPage();
    const request = ask(clientId);
    await page.goto(request.url);
    const code = await arrive(page);
    const { verifier } = request;
    const redeemed = await redeemCode(product, { clientId, code, verifier, redirectUri: loopback.url });
    expect(redeemed.status).toBe(200);
  }
  await context.close();
});

test('A40: fewer scopes than remembered are not asked again', async () => {
  const { context, clientId } = await rememberedBrowser({ scope: 'snippets.use snippets.share' });
  const page = await context.newPage();
  await page.goto(ask(clientId, { scope: 'snippets.share' }).url);
  await arrive(page);
  await context.close();
});

test('A40 D51: whoever does not tick the box is asked again', async () => {
  const { context, clientId } = await rememberedBrowser({ remember: false });
  const page = await context.newPage();
  await page.goto(ask(clientId).url);
  await expectAsked(page);
  await context.close();
});

const changes: readonly (readonly [string, (clientId: string) => Promise<string>])[] = [
  ['another port of the redirect', async (id) => ask(id, { redirectUri: otherLoopback.url }).url],
  ['another client', async () => ask(await register()).url],
  ['more scopes', async (id) => ask(id, { scope: 'snippets.use snippets.share' }).url],
  [
    'expiry',
    async (id) => {
      product.time.aheadMs = (product.config.lifetimes.consentSeconds + 60) * 1000;
      return ask(id).url;
    },
  ],
];

test.each(changes)('A40 A42 D51: the person is asked again: %s', async (_name, prepare) => {
  const { context, clientId } = await rememberedBrowser();
  const page = await context.newPage();
  await page.goto(await prepare(clientId));
  await expectAsked(page);
  await context.close();
});

test('A42 D69 GHSA-6x8h-498w-gv8c: another site that leads a browser here gets no silent yes', async () => {
  const { context, clientId } = await rememberedBrowser();
  const { url } = ask(clientId);
  const site = createServer((req, res) => {
    if (req.url === '/redirect') return res.writeHead(302, { location: url }).end();
    const link = `<a id="link" href="${url.replaceAll('&', '&amp;')}">a present</a>`;
    return res.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html>${link}`);
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;

  const byLink = await context.newPage();
  await byLink.goto(origin);
  await byLink.locator('#link').click();
  await expectAsked(byLink);

  const byScript = await context.newPage();
  await byScript.goto(origin);
  // A string, since the page has globals of its own.
  await byScript.evaluate(`void (location.href = '/redirect')`);
  await expectAsked(byScript);

  await context.close();
  site.closeAllConnections();
  site.close();
});

test('A40 A42: whoever signs in at Entra instead of the remembered person is asked themselves', async () => {
  const { context, clientId } = await rememberedBrowser({ person: product.people.reader });
  // Rita has left Entra, her gateway cookie is still there; Walt sits down.
  await context.clearCookies({ name: 'ESTSAUTH' });
  const arrivals = loopback.count();
  const page = await context.newPage();
  await page.goto(ask(clientId).url);
  await pickAtEntra(page, product.people.writer);
  await expectAsked(page);
  expect(loopback.count(), 'nothing has reached the client yet').toBe(arrivals);
  await decide(page, 'allow');
  await arrive(page);

  const callbacks = (await product.readAudit()).filter(({ event }) => event === 'callback').slice(-2);
  expect(callbacks).toMatchObject([
    { outcome: 'denied', reason: 'other_person' },
    { outcome: 'success', objectId: objectIdOf(product.people.writer) },
  ]);
  await context.close();
});

test('D68: two sign-ins at once in one browser both succeed, the later one finished first', async () => {
  const clientIds = [await register(), await register()];
  const first = await openPersonsPage(browser);
  const second = await first.context().newPage();
  const requests = clientIds.map((clientId) => ask(clientId));
  const [one, two] = requests;
  if (one === undefined || two === undefined) throw new Error('two requests');
  await first.goto(one.url);
  await second.goto(two.url);
  await decide(first, 'allow');
  await first.locator('#i0116').waitFor();
  await decide(second, 'allow');
  await pickAtEntra(second, product.people.writer);
  const codes = [await arrive(second)];
  await pickAtEntra(first, product.people.writer);
  codes.unshift(await arrive(first));
  for (const [index, code] of codes.entries()) {
    const clientId = clientIds[index] ?? '';
    const verifier = requests[index]?.verifier ?? '';
    const redeemed = await redeemCode(product, { clientId, code, verifier, redirectUri: loopback.url });
    expect(redeemed.status).toBe(200);
  }
  await first.context().close();
});

function objectIdOf({ username }: Person): string | undefined {
  return product.emulator.seed.tenants
    .flatMap(({ users }) => users)
    .find((user) => user.username === username)?.objectId;
}
