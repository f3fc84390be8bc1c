/** Stops: one address, or one client, that uses up the gateway for all. */
import { afterEach, expect, test } from 'vitest';
import { createHttpBrowser } from '../support/http-person.ts';
import { authorizeRequest, registerClient } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { allow, goToConsent } from '../support/sign-in-steps.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const plenty = { requests: 10_000, windowSeconds: 60 };

/** Three requests a minute where the test looks, and plenty elsewhere. */
async function start(name: string, more: Record<string, unknown> = {}): Promise<Product> {
  const limits = {
    register: plenty,
    authorize: plenty,
    consent: plenty,
    token: plenty,
    [name]: { requests: 3, windowSeconds: 60 },
  };
  const product = await startProduct({ config: { limits, ...more } });
  closers.push(() => product.close());
  return product;
}

type Ask = (product: Product, headers: Record<string, string>, times: number) => Promise<Response>;

const limited: [name: string, ask: Ask][] = [
  [
    'register',
    (product, headers, times) =>
      fetch(`${product.url}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ redirect_uris: [`https://client${times}.example/cb`] }),
      }),
  ],
  [
    'authorize',
    (product, headers, times) =>
      fetch(authorizeRequest(product, `client-${times}`).url, { headers, redirect: 'manual' }),
  ],
  ['authorize', (product, headers, times) => fetch(`${product.url}/authorize/${times}`, { headers })],
  ['authorize', (product, headers) => fetch(`${product.url}/auth/callback?state=x`, { headers })],
  ['consent', (product, headers, times) => fetch(`${product.url}/consent/${times}`, { headers })],
  [
    'consent',
    (product, headers, times) => fetch(`${product.url}/consent/${times}`, { method: 'POST', headers }),
  ],
  [
    'token',
    (product, headers, times) =>
      fetch(`${product.url}/token`, {
        method: 'POST',
        headers,
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          client_id: `client-${times}`,
          refresh_token: 'x',
        }),
      }),
  ],
  [
    'token',
    (product, headers) =>
      fetch(`${product.url}/revoke`, { method: 'POST', headers, body: new URLSearchParams({ token: 'x' }) }),
  ],
];

test.each(limited)(
  'A30 D58: %s is limited for each address, says when to come back, and then works again',
  async (name, ask) => {
    const product = await start(name);
    for (let times = 0; times < 3; times += 1) expect((await ask(product, {}, times)).status).not.toBe(429);
    const refused = await ask(product, {}, 3);
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(20);
    // Nobody gets another budget by a header: there is no trusted proxy.
    for (const lie of [
      { 'x-forwarded-for': '203.0.113.7' },
      { 'x-forwarded-for': '203.0.113.7, 127.0.0.1' },
      { forwarded: 'for=203.0.113.7' },
      { 'x-real-ip': '203.0.113.7' },
      { 'client-ip': '203.0.113.7' },
      { 'cf-connecting-ip': '203.0.113.7' },
    ]) {
      expect((await ask(product, lie, 4)).status, JSON.stringify(lie)).toBe(429);
    }
    product.time.aheadMs += seconds * 1000;
    expect((await ask(product, {}, 5)).status).not.toBe(429);
  },
);

test('A30: behind a trusted proxy each address has its own budget, and an address cannot be invented to the left', async () => {
  const product = await start('token', { trustedProxies: ['127.0.0.1/32'] });
  const ask = (forwarded: string) =>
    fetch(`${product.url}/token`, { method: 'POST', headers: { 'x-forwarded-for': forwarded } });
  for (let times = 0; times < 3; times += 1) await ask(`198.51.100.${times}, 203.0.113.7`);
  expect((await ask('198.51.100.9, 203.0.113.7')).status).toBe(429);
  expect((await ask('203.0.113.8')).status).not.toBe(429);
});

test('A30: a client is limited beside the addresses it comes from, and others are not', async () => {
  const product = await start('token', { trustedProxies: ['127.0.0.1/32'] });
  const ask = (address: number, clientId: string) =>
    fetch(`${product.url}/token`, {
      method: 'POST',
      headers: { 'x-forwarded-for': `203.0.${Math.floor(address / 200)}.${address % 200}` },
      body: new URLSearchParams({ grant_type: 'refresh_token', client_id: clientId, refresh_token: 'x' }),
    });
  let refusedAt: number | undefined;
  for (let address = 0; address < 100 && refusedAt === undefined; address += 1) {
    const { status, headers } = await ask(address, 'one');
    if (status !== 429) continue;
    refusedAt = address;
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
  // Twenty times the budget of an address: one address alone cannot lock all people of a client out.
  expect(refusedAt).toBe(60);
  expect((await ask(150, 'other')).status).toBe(401);
});

test('A30: one address cannot use up the budget of a client that others use', async () => {
  const product = await start('authorize', { trustedProxies: ['127.0.0.1/32'] });
  const clientId = await registerClient(product);
  const ask = (address: string) =>
    fetch(authorizeRequest(product, clientId).url, {
      redirect: 'manual',
      headers: { 'x-forwarded-for': address },
    });
  for (let times = 0; times < 20; times += 1) await ask('203.0.113.7');
  expect((await ask('203.0.113.7')).status).toBe(429);
  expect((await ask('203.0.113.8')).status).toBe(303);
});

test('A30: a decision that was limited can be made afterwards', async () => {
  const product = await start('consent');
  const at = await goToConsent(product, { browser: createHttpBrowser() });
  for (let times = 0; times < 3; times += 1) await at.browser.request(at.page.url);
  const refused = await allow(at);
  expect(refused.status).toBe(429);
  expect(refused.text).toContain('Too many requests');
  product.time.aheadMs += Number(refused.headers.get('retry-after')) * 1000;
  expect((await allow(at)).location).toContain(product.emulator.httpOrigin);
});
