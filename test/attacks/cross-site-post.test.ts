/**
 * Stops: a page of any site that has the person's browser post a tool call, in one of the forms for which a browser
 * asks nobody first (a "simple" request: no preflight).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CanaryBackend } from '../support/canary-backend.ts';
import { startCanaryProduct } from '../support/canary-product.ts';
import type { Product } from '../support/product.ts';
import { send } from '../support/raw-http.ts';

let product: Product;
let canary: CanaryBackend;
let token: string;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ product, canary, token, close } = await startCanaryProduct());
});
afterAll(() => close());

const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hello_mcp","arguments":{}}}';
const path = '/snippets/mcp';

/** What Fetch allows without a preflight (WHATWG Fetch, CORS-safelisted request-header), and odd spellings of it. */
const simpleTypes = [
  'text/plain',
  'text/plain;charset=UTF-8',
  'text/plain; application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'multipart/form-data; boundary=application/json',
  'application/jsonp',
  'application/json-rpc',
  'application/json, text/plain',
  'text/json',
  '',
  undefined,
];
const origins = [
  'https://evil.example',
  'http://evil.example',
  'null',
  'http://localhost.evil.example',
  undefined,
];

function headersOf(type: string | undefined, origin: string | undefined): string[] {
  const ofBrowser = [
    'Sec-Fetch-Site',
    'cross-site',
    'Sec-Fetch-Mode',
    'no-cors',
    'Cookie',
    `access_token=${token}`,
  ];
  return [
    ...(type === undefined ? [] : ['Content-Type', type]),
    ...(origin === undefined ? [] : ['Origin', origin]),
    ...ofBrowser,
  ];
}

test('CVE-2026-33252: what a page can post without asking reaches no backend: nothing but the token lets anybody in', async () => {
  for (const type of simpleTypes) {
    for (const origin of origins) {
      const { status } = await send(product.url, {
        method: 'POST',
        path,
        headers: headersOf(type, origin),
        body: call,
      });
      expect(status, `${type} from ${origin}`).toBe(origin === undefined ? 401 : 403);
    }
  }
  expect(canary.arrivals).toEqual([]);
});

test('CVE-2026-33252: with a token, too, a foreign page is refused, and so is everything but application/json', async () => {
  for (const type of [...simpleTypes, 'application/json']) {
    for (const origin of origins) {
      const headers = [...headersOf(type, origin), 'Authorization', `Bearer ${token}`];
      const { status } = await send(product.url, { method: 'POST', path, headers, body: call });
      const isSound = type === 'application/json';
      expect(status, `${type} from ${origin}`).toBe(origin === undefined ? (isSound ? 200 : 415) : 403);
    }
  }
  expect(canary.arrivals).toHaveLength(1);
  canary.arrivals.splice(0);
});

test('CVE-2026-33252: a preflight from a foreign page allows it nothing that it could use', async () => {
  for (const origin of origins.filter((each) => each !== undefined)) {
    const asked = [
      'Access-Control-Request-Method',
      'POST',
      'Access-Control-Request-Headers',
      'authorization',
    ];
    const preflight = await send(product.url, {
      method: 'OPTIONS',
      path,
      headers: ['Origin', origin, ...asked],
    });
    expect(preflight.headers['access-control-allow-credentials']).toBeUndefined();
    const headers = [
      'Origin',
      origin,
      'Content-Type',
      'application/json',
      'Authorization',
      `Bearer ${token}`,
    ];
    const posted = await send(product.url, { method: 'POST', path, headers, body: call });
    expect([posted.status, posted.headers['access-control-allow-origin']]).toEqual([403, undefined]);
  }
  expect(canary.arrivals).toEqual([]);
});
