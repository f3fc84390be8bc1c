/** Stops: another site, another browser or an old page that presses Allow for the person. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpBrowser } from '../support/http-person.ts';
import { registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { type AtConsent, allow, codeOf, goToConsent, signInAtEntra } from '../support/sign-in-steps.ts';

let product: Product;
beforeAll(async () => {
  product = await startProduct();
});
afterAll(() => product.close());

const csrfOf = (at: AtConsent) => /name="csrf" value="([^"]+)"/.exec(at.page.text)?.[1] ?? '';

interface Forgery {
  readonly headers?: Record<string, string | undefined>;
  readonly fields?: Record<string, string | undefined>;
  readonly contentType?: string;
}

/** The POST of a browser, with something wrong about it. Cookies are the victim's, as in a real forgery. */
async function post(at: AtConsent, forgery: Forgery = {}): Promise<Response> {
  const body = new URLSearchParams();
  const fields = { csrf: csrfOf(at), decision: 'allow', ...forgery.fields };
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) body.append(name, value);
  const headers = new Headers();
  const given = {
    cookie: [...at.browser.cookies(product.url)].map(([name, value]) => `${name}=${value}`).join('; '),
    origin: product.url,
    'sec-fetch-site': 'same-origin',
    'content-type': forgery.contentType ?? 'application/x-www-form-urlencoded',
    ...forgery.headers,
  };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) headers.set(name, value);
  return fetch(at.page.url, { method: 'POST', redirect: 'manual', headers, body: body.toString() });
}

async function expectStillOpen(at: AtConsent): Promise<void> {
  const to = await allow(at);
  expect(to.location).toContain(product.emulator.httpOrigin);
}

function expectNoEffect(response: Response): void {
  expect(response.headers.get('location')).toBeNull();
  expect(response.headers.getSetCookie().filter((line) => line.includes('valetkey-sign-in'))).toEqual([]);
}

test('the control: the same post with nothing wrong goes to Entra', async () => {
  const response = await post(await goToConsent(product));
  expect(response.status).toBe(303);
});

const forgeries: [what: string, forgery: Forgery][] = [
  ['no Origin', { headers: { origin: undefined } }],
  ['a foreign Origin', { headers: { origin: 'https://evil.example' } }],
  ['Origin null', { headers: { origin: 'null' } }],
  ['an Origin that starts like ours', { headers: { origin: 'http://localhost.evil.example' } }],
  ['our host on another port', { headers: { origin: 'http://localhost:1' } }],
  ['our host over https', { headers: { origin: 'https://localhost' } }],
  ['Sec-Fetch-Site cross-site', { headers: { 'sec-fetch-site': 'cross-site' } }],
  ['Sec-Fetch-Site same-site', { headers: { 'sec-fetch-site': 'same-site' } }],
  ['Sec-Fetch-Site none', { headers: { 'sec-fetch-site': 'none' } }],
  ['a foreign Referer', { headers: { referer: 'https://evil.example/' } }],
  ['no token', { fields: { csrf: undefined } }],
  ['an empty token', { fields: { csrf: '' } }],
  ['a made-up token', { fields: { csrf: 'A'.repeat(43) } }],
];

test.each(forgeries)('A43 D53: a decision with %s is 403 and decides nothing', async (_what, forgery) => {
  const at = await goToConsent(product);
  const response = await post(at, forgery);
  expect(response.status).toBe(403);
  expectNoEffect(response);
  await expectStillOpen(at);
});

test.each([
  ['no cookies at all', ''],
  ['the form cookie alone is missing', undefined],
])('A43 D53: a decision with %s is 403', async (_what, cookie) => {
  const at = await goToConsent(product);
  const kept = [...at.browser.cookies(product.url)].filter(([name]) => !name.endsWith('valetkey-form'));
  const response = await post(at, {
    headers: { cookie: cookie ?? kept.map(([name, value]) => `${name}=${value}`).join('; ') },
  });
  expect(response.status).toBe(403);
  expectNoEffect(response);
  await expectStillOpen(at);
});

test('A43 D53: the token of another browser, or of another question of this browser, is 403', async () => {
  const clientId = await registerClient(product);
  const at = await goToConsent(product, { clientId });
  const elsewhere = await goToConsent(product, { clientId });
  const sibling = await goToConsent(product, { clientId, browser: at.browser });
  for (const other of [elsewhere, sibling]) {
    const response = await post(at, { fields: { csrf: csrfOf(other) } });
    expect(response.status).toBe(403);
    expectNoEffect(response);
  }
  await expectStillOpen(at);
});

test("A43: another browser with its own good token cannot answer this browser's question", async () => {
  const at = await goToConsent(product);
  const thief = await goToConsent(product);
  const response = await post({ ...thief, page: { ...thief.page, url: at.page.url } });
  expect([400, 403]).toContain(response.status);
  expectNoEffect(response);
  expect((await createHttpBrowser().request(at.page.url)).status).toBe(400);
  await expectStillOpen(at);
});

test('A43 D53: a decision sent twice, or ten times at once, counts once', async () => {
  const at = await goToConsent(product);
  const answers = await Promise.all(Array.from({ length: 10 }, () => post(at)));
  expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 400)).toHaveLength(9);
  expect((await post(at)).status).toBe(400);
  expect((await post(at, { fields: { decision: 'deny' } })).status).toBe(400);
});

test('A41 A43: after Deny an Allow from the back button opens nothing', async () => {
  const at = await goToConsent(product);
  expect((await post(at, { fields: { decision: 'deny' } })).status).toBe(200);
  const response = await post(at);
  expect(response.status).toBe(400);
  expectNoEffect(response);
  const resumed = await at.browser.follow(at.page.url.replace('/consent/', '/authorize/'), [product.url]);
  expect(new URL(resumed.location ?? 'about:blank').searchParams.get('error')).toBe('access_denied');
});

test.each([
  ['text/plain, which a foreign form can send', { contentType: 'text/plain' }],
  ['JSON', { contentType: 'application/json' }],
  ['neither allow nor deny', { fields: { decision: 'maybe' } }],
  ['no decision', { fields: { decision: undefined } }],
])('A43: a decision as %s is refused', async (_what, forgery) => {
  const at = await goToConsent(product);
  const response = await post(at, forgery);
  expect(response.status).toBe(400);
  expectNoEffect(response);
  await expectStillOpen(at);
});

test('A43: fields that are there twice count as absent', async () => {
  const at = await goToConsent(product);
  const body = new URLSearchParams([
    ['csrf', csrfOf(at)],
    ['decision', 'deny'],
    ['decision', 'allow'],
  ]);
  const response = await at.browser.request(at.page.url, {
    method: 'POST',
    body,
    headers: { origin: product.url, 'sec-fetch-site': 'same-origin' },
  });
  expect(response.status).toBe(400);
  expect(response.location).toBeUndefined();
});

test('A43 D53: no page can be framed, cached or sniffed, and consent never answers a GET', async () => {
  const at = await goToConsent(product);
  const denied = await post(at, { fields: { csrf: '' } });
  const unknown = await fetch(`${product.url}/consent/unknown`);
  for (const headers of [at.page.headers, denied.headers, unknown.headers]) {
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('content-security-policy')).not.toContain('form-action');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
  const got = await at.browser.request(`${at.page.url}?csrf=${csrfOf(at)}&decision=allow`);
  expect(got.status).toBe(200);
  expect(got.location).toBeUndefined();
  await expectStillOpen(at);
});

test('D53: the page that posts a code (response_mode=form_post) cannot be framed and runs its own script only', async () => {
  const at = await goToConsent(product, { overrides: { response_mode: 'form_post' } });
  const back = await signInAtEntra(product, at.browser, (await allow(at)).location, product.people.reader);
  const page = await at.browser.follow(back, [product.url]);
  expect(codeOf(page)).toBeUndefined();
  expect(page.text).toContain('name="code"');
  expect(page.headers.get('x-frame-options')).toBe('DENY');
  expect(page.headers.get('content-security-policy')).toMatch(
    /script-src 'sha256-[^']+'; .*frame-ancestors 'none'/,
  );
  expect(page.headers.get('cache-control')).toContain('no-store');
});
