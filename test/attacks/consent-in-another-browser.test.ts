/**
 * Stops: consent given in one browser and finished in another. The attacker approves their own client, and sends the
 * victim the address at Entra that follows; the victim's live session there does the rest.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpBrowser, type HttpBrowser } from '../support/http-person.ts';
import { obtainTokens, registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { allow, codeOf, goToCallback, goToConsent, signInAtEntra } from '../support/sign-in-steps.ts';

let product: Product;
let everywhere: string[];

beforeAll(async () => {
  product = await startProduct();
  everywhere = [product.url, product.emulator.httpOrigin];
});
afterAll(() => product.close());

const sign = /^(__Host-)?valetkey-sign-in-/;

function stateCookies(browser: HttpBrowser): string[] {
  return [...browser.cookies(product.url).keys()].filter((name) => sign.test(name));
}

/** Codes that the gateway redeemed at Entra: each is a sign-in. */
function signIns(): number {
  return product.emulator.control
    .requestLog()
    .filter(({ form, status }) => form['grant_type'] === 'authorization_code' && status === 200).length;
}

test('A19 D62 CVE-2026-27124 GHSA-rww4-4w9c-7733: approved in browser A, opened in browser B is 403, and A can still finish', async () => {
  const attacker = await goToConsent(product);
  const { location } = await allow(attacker);

  const victim = createHttpBrowser();
  await obtainTokens(product, product.people.writer, { browser: victim });
  const before = signIns();
  const back = await signInAtEntra(product, victim, location, product.people.writer);
  const refused = await victim.follow(back, everywhere);
  expect(refused.status).toBe(403);
  expect(refused.location).toBeUndefined();
  expect(refused.text).toContain('begun elsewhere');
  expect(signIns()).toBe(before);

  // The attacker has nothing of it either: no code waits for them.
  const resumed = await attacker.browser.follow(
    attacker.page.url.replace('/consent/', '/authorize/'),
    everywhere,
  );
  expect(codeOf(resumed)).toBeUndefined();

  const own = await goToConsent(product);
  const ownBack = await signInAtEntra(
    product,
    own.browser,
    (await allow(own)).location,
    product.people.reader,
  );
  const stranger = await createHttpBrowser().follow(ownBack, everywhere);
  expect(stranger.status).toBe(403);
  expect(codeOf(await own.browser.follow(ownBack, everywhere))).toBeDefined();
});

test('A42 D62: no state and no state cookie exists before approval', async () => {
  const at = await goToConsent(product);
  expect(stateCookies(at.browser)).toEqual([]);
  const reloaded = await at.browser.request(at.page.url);
  expect(reloaded.status).toBe(200);
  expect(stateCookies(at.browser)).toEqual([]);
  const allowed = await allow(at);
  expect(stateCookies(at.browser)).toHaveLength(1);
  const cookie = allowed.headers.getSetCookie().find((line) => sign.test(line));
  expect(cookie).toMatch(/HttpOnly/i);
  expect(cookie).toMatch(/SameSite=Lax/i);
  expect(cookie).toMatch(/Max-Age=600/i);
});

test("A37 D45 D64: Entra's state is random, and nothing the client chose", async () => {
  const state = 'statesession123';
  const one = await allow(await goToConsent(product, { overrides: { state } }));
  const two = await allow(await goToConsent(product, { overrides: { state } }));
  const states = [one, two].map(({ location }) => new URL(location ?? '').searchParams.get('state') ?? '');
  expect(new Set([...states, state]).size).toBe(3);
  for (const each of states) expect(each).toMatch(/^[\w-]{43}$/);
});

test('A19: cookies that the attacker plants in the victim do not make the victim the attacker', async () => {
  const attacker = await goToConsent(product);
  const { location } = await allow(attacker);
  const victim = createHttpBrowser();
  // Every cookie but the one of the transaction, whose name a subdomain cannot set under https.
  for (const [name, value] of attacker.browser.cookies(product.url)) {
    if (!sign.test(name)) victim.setCookie(product.url, name, value);
  }
  for (const name of stateCookies(attacker.browser)) victim.setCookie(product.url, name, 'guessed');
  const back = await signInAtEntra(product, victim, location, product.people.writer);
  const refused = await victim.follow(back, everywhere);
  expect(refused.status).toBe(403);
});

test('A43: a request begun by the attacker and approved by the victim gives the attacker no code', async () => {
  const clientId = await registerClient(product);
  const attacker = await goToConsent(product, { clientId });
  const path = new URL(attacker.page.url).pathname;
  const resumeUrl = attacker.page.url.replace('/consent/', '/authorize/');

  // Cookies with a path cannot have the __Host- prefix: a neighbouring subdomain plants them in the victim.
  const victim = createHttpBrowser();
  for (const [name, value] of attacker.browser.cookies(product.url)) {
    if (name.startsWith('valetkey-interaction')) victim.setCookie(product.url, name, value, path);
  }
  const page = await victim.request(attacker.page.url);
  const allowed = await victim.submit(page, { decision: 'allow' }, []);
  const back = await signInAtEntra(product, victim, allowed.location, product.people.writer);
  const approved = await victim.request(back);
  expect(approved.location).toBe(resumeUrl);

  const stolen = await attacker.browser.follow(resumeUrl, everywhere);
  expect(codeOf(stolen)).toBeUndefined();
  expect(stolen.text).toContain('name="decision"');
});

test('A19 D62: a callback is good once', async () => {
  const at = await goToCallback(product, product.people.reader);
  expect(codeOf(await at.browser.follow(at.callbackUrl, everywhere))).toBeDefined();
  const before = signIns();
  for (const browser of [at.browser, createHttpBrowser()]) {
    const again = await browser.follow(at.callbackUrl, everywhere);
    expect(again.status).toBe(400);
    expect(codeOf(again)).toBeUndefined();
  }
  expect(signIns()).toBe(before);
});

test('A19: ten callbacks at once give one sign-in', async () => {
  const at = await goToCallback(product, product.people.reader);
  const before = signIns();
  const cookie = [...at.browser.cookies(product.url)].map(([name, value]) => `${name}=${value}`).join('; ');
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => fetch(at.callbackUrl, { redirect: 'manual', headers: { cookie } })),
  );
  const statuses = answers.map(({ status }) => status).toSorted();
  expect(statuses).toEqual([303, ...Array.from({ length: 9 }, () => 400)].toSorted());
  expect(signIns()).toBe(before + 1);
});

test('A19: the state of another transaction of the same browser does not fit the code', async () => {
  const one = await goToCallback(product, product.people.reader);
  const two = await goToCallback(product, product.people.reader, { browser: one.browser });
  const swapped = new URL(one.callbackUrl);
  swapped.searchParams.set('state', new URL(two.callbackUrl).searchParams.get('state') ?? '');
  const answer = await one.browser.follow(swapped.href, [product.url]);
  expect(codeOf(answer)).toBeUndefined();
  expect(answer.status).toBe(502);
});

test('A19: without its cookie a callback is 403, and too late it is 400', async () => {
  const at = await goToCallback(product, product.people.reader);
  expect((await fetch(at.callbackUrl, { redirect: 'manual' })).status).toBe(403);
  product.time.aheadMs += 601_000;
  const late = await at.browser.follow(at.callbackUrl, everywhere);
  product.time.aheadMs = 0;
  expect(late.status).toBe(400);
  expect(codeOf(late)).toBeUndefined();
});

test.each(['state', 'code'])('A19: %s twice is not read as once', async (name) => {
  const at = await goToCallback(product, product.people.reader);
  const url = `${at.callbackUrl}&${name}=${new URL(at.callbackUrl).searchParams.get(name)}x`;
  const answer = await at.browser.follow(url, [product.url]);
  expect(codeOf(answer)).toBeUndefined();
  expect(answer.status).toBeGreaterThanOrEqual(400);
});

test.each([
  ['nothing at all', ''],
  ['a code alone', '?code=x'],
  ['an empty state', '?code=x&state='],
  ['an unknown state', '?code=x&state=unknown'],
  ['an error without a state', '?error=access_denied'],
  ['a huge state', `?code=x&state=${'s'.repeat(8000)}`],
])('A19: a callback with %s is a page and no redirect', async (_what, query) => {
  const response = await fetch(`${product.url}/auth/callback${query}`, { redirect: 'manual' });
  expect(response.status).toBe(400);
  expect(response.headers.get('location')).toBeNull();
});
