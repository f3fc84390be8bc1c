/**
 * Stops: one Entra app stands behind every client that registers itself. A victim who is signed in at Entra follows a
 * link to an attacker's client, and Entra, which knows the one app only, asks nothing.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createHttpBrowser, type HttpBrowser } from '../support/http-person.ts';
import { authorizeRequest, obtainTokens, registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { allow, codeOf, goToConsent, signInAtEntra } from '../support/sign-in-steps.ts';

const evilRedirect = 'https://evil.example/cb';
const documentId = 'https://evil.example/client.json';

let product: Product;
let victim: HttpBrowser;
let everywhere: string[];

beforeAll(async () => {
  product = await startProduct({
    gateway: {
      fetchFromStranger: async (url) =>
        Response.json({
          client_id: url,
          client_name: 'Evil',
          redirect_uris: [evilRedirect],
          token_endpoint_auth_method: 'none',
        }),
    },
  });
  everywhere = [product.url, product.emulator.httpOrigin];
});
afterAll(() => product.close());

/** A person with a live Entra session, and a consent remembered for a client of their own. */
beforeEach(async () => {
  victim = createHttpBrowser();
  const at = await goToConsent(product, { browser: victim });
  const allowed = await victim.submit(at.page, { decision: 'allow', remember: 'yes' }, []);
  const back = await signInAtEntra(product, victim, allowed.location, product.people.reader);
  expect(codeOf(await victim.follow(back, everywhere))).toBeDefined();
});

async function evilClient(kind: string): Promise<string> {
  return kind === 'document' ? documentId : registerClient(product, { redirect_uris: [evilRedirect] });
}

test.each(['registered', 'document'])(
  'A37 D18 GHSA-c2jp-c369-7pvx: a %s client gets no code out of a live Entra session without a fresh consent',
  async (kind) => {
    const clientId = await evilClient(kind);
    const { url } = authorizeRequest(product, clientId, { redirect_uri: evilRedirect });
    const asked = product.emulator.control.requestLog().length;
    const answer = await victim.follow(url, everywhere);
    expect(answer.status).toBe(200);
    expect(answer.location).toBeUndefined();
    expect(answer.text).toContain('name="decision"');
    expect(answer.text).toContain('evil.example');
    expect(product.emulator.control.requestLog().length).toBe(asked);
  },
);

test.each([
  'consent=granted',
  'consent=true',
  'approved=1',
  'decision=allow',
  'remember=yes',
  'prompt=none',
  'skip_consent=true',
  'approval_prompt=auto',
  'csrf=x&decision=allow',
  'login=x&grantId=x',
])('A38 D33: ?%s on any address of the way changes nothing', async (parameters) => {
  const clientId = await evilClient('registered');
  const { url } = authorizeRequest(product, clientId, { redirect_uri: evilRedirect });
  const asked = await victim.follow(`${url}&${parameters}`, everywhere);
  expect(codeOf(asked)).toBeUndefined();

  const { page } = await goToConsent(product, {
    browser: victim,
    clientId,
    overrides: { redirect_uri: evilRedirect },
  });
  const again = await victim.follow(`${page.url}?${parameters}`, everywhere);
  expect(codeOf(again)).toBeUndefined();
  expect(again.text).toContain('name="decision"');

  const resumed = await victim.follow(
    `${page.url.replace('/consent/', '/authorize/')}?${parameters}`,
    everywhere,
  );
  expect(codeOf(resumed)).toBeUndefined();
});

test('A42 D69 GHSA-6x8h-498w-gv8c: what is remembered serves no navigation that another site began', async () => {
  const browser = createHttpBrowser();
  const at = await goToConsent(product, { browser });
  const allowed = await browser.submit(at.page, { decision: 'allow', remember: 'yes' }, []);
  const back = await signInAtEntra(product, browser, allowed.location, product.people.reader);
  await browser.follow(back, everywhere);

  for (const site of ['cross-site', 'same-site', undefined]) {
    const { url } = authorizeRequest(product, at.clientId);
    const headers = { 'sec-fetch-site': site ?? '' };
    const started = await browser.request(url, { headers });
    const page = await browser.request(started.location ?? '', { headers });
    expect(page.text, String(site)).toContain('name="decision"');
  }
  // The control: a navigation of the person's own is spared the page.
  const own = await browser.follow(authorizeRequest(product, at.clientId).url, everywhere);
  expect(codeOf(own)).toBeDefined();
});

test('A40: a remembered consent is not stretched to another redirect, resource or person', async () => {
  const clientId = await registerClient(product, {
    redirect_uris: ['https://one.example/cb', 'https://two.example/cb'],
  });
  const browser = createHttpBrowser();
  const at = await goToConsent(product, {
    browser,
    clientId,
    overrides: { redirect_uri: 'https://one.example/cb' },
  });
  const allowed = await browser.submit(at.page, { decision: 'allow', remember: 'yes' }, []);
  await browser.follow(
    await signInAtEntra(product, browser, allowed.location, product.people.reader),
    everywhere,
  );
  const other = authorizeRequest(product, clientId, { redirect_uri: 'https://two.example/cb' });
  expect((await browser.follow(other.url, everywhere)).text).toContain('name="decision"');
});

test("A40: the consent of one person does not carry another through, whatever the browser's cookie says", async () => {
  const reader = createHttpBrowser();
  const at = await goToConsent(product, { browser: reader });
  const allowed = await reader.submit(at.page, { decision: 'allow', remember: 'yes' }, []);
  await reader.follow(
    await signInAtEntra(product, reader, allowed.location, product.people.reader),
    everywhere,
  );

  // The writer's browser carries the reader's cookie, planted or left behind.
  const writer = createHttpBrowser();
  for (const [name, value] of reader.cookies(product.url)) {
    if (name === 'valetkey-browser') writer.setCookie(product.url, name, value);
  }
  const request = authorizeRequest(product, at.clientId);
  const toEntra = await writer.follow(request.url, [product.url]);
  const back = await signInAtEntra(product, writer, toEntra.location, product.people.writer);
  const answer = await writer.follow(back, everywhere);
  expect(codeOf(answer)).toBeUndefined();
  expect(answer.text).toContain('name="decision"');
});

test('A42 D63 D68: parallel sign-ins of one browser both end well, and so does the next person on it', async () => {
  const browser = createHttpBrowser();
  const clientId = await registerClient(product);
  await obtainTokens(product, product.people.reader, { browser, clientId });
  const first = await goToConsent(product, { browser, clientId });
  const second = await goToConsent(product, { browser, clientId });
  const toFirst = await allow(first);
  const toSecond = await allow(second);
  for (const { location } of [toSecond, toFirst]) {
    const back = await signInAtEntra(product, browser, location, product.people.reader);
    expect(codeOf(await browser.follow(back, everywhere))).toBeDefined();
  }
  product.emulator.control.revokeSessions(product.people.reader.username);
  await obtainTokens(product, product.people.writer, { browser, clientId });
});
