/** Stops: a header, or a second request in the bytes of the first, that a backend would take for the gateway's word. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CanaryBackend, headerValues } from '../support/canary-backend.ts';
import { startCanaryProduct } from '../support/canary-product.ts';
import type { Product } from '../support/product.ts';
import { send, sendBytes, statusOf } from '../support/raw-http.ts';

const functionKey = 'a-function-key-for-tests-only';
const path = '/snippets/mcp';
const call = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

let product: Product;
let canary: CanaryBackend;
let token: string;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ product, canary, token, close } = await startCanaryProduct());
});
afterAll(() => close());
beforeEach(() => void canary.arrivals.splice(0));

const post = (headers: readonly string[]) =>
  send(product.url, {
    method: 'POST',
    path,
    headers: ['Authorization', `Bearer ${token}`, 'Content-Type', 'application/json', ...headers],
    body: call,
  });

function expectOnlyOurs(): void {
  const [arrival] = canary.arrivals;
  expect(canary.arrivals).toHaveLength(1);
  expect(headerValues(arrival, 'authorization')).toEqual([]);
  expect(headerValues(arrival, 'cookie')).toEqual([]);
  expect(headerValues(arrival, 'x-functions-key')).toEqual([functionKey]);
  expect(headerValues(arrival, 'x-valetkey-identity')).toHaveLength(1);
  expect(headerValues(arrival, 'x-valetkey-identity')[0]).toMatch(/^eyJ/);
  expect(headerValues(arrival, 'x-valetkey-object-id')).toEqual(['10000000-0000-4000-8000-000000000001']);
  expect(headerValues(arrival, 'x-request-id')).toHaveLength(1);
  expect(headerValues(arrival, 'host')).toEqual([new URL(canary.url).host]);
  expect(headerValues(arrival, 'content-type')).toEqual(['application/json']);
  expect(JSON.stringify(arrival)).not.toMatch(/smuggled|Smuggled/);
  expect(JSON.stringify(arrival)).not.toContain(token);
  expect(arrival?.body).toBe(call);
  expect(arrival?.url).toBe('/mcp');
}

const trusted = [
  'X-Valetkey-Identity',
  'x-valetkey-identity',
  'X_Valetkey_Identity',
  'X-Valetkey-Object-Id',
  'X-Valetkey-Tenant-Id',
  'X-Valetkey-Anything',
  'X-Functions-Key',
  'X_FUNCTIONS_KEY',
  'X-MS-Client-Principal',
  'X-MS-Client-Principal-Id',
  'X-MS-Client-Principal-Name',
  'X-MS-Token-AAD-Access-Token',
  'X-Forwarded-User',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'Forwarded',
  'X-Real-IP',
  'X-Original-URL',
  'X-Rewrite-URL',
  'X-HTTP-Method-Override',
  'X-Auth-Request-User',
  'X-Goog-Authenticated-User-Email',
  'X-Amzn-Oidc-Data',
  'X-Envoy-Original-Path',
  'Remote-User',
  'X-Remote-User',
  'X-Client-Cert',
  'X-ARR-ClientCert',
  'X-Request-Id',
  'Via',
  'Cookie',
  'DPoP',
  'Proxy-Authorization',
  'Referer',
  'Sec-Fetch-Site',
];

test.each(trusted)(
  'A52 A53 GHSA-g53w-w6mj-hrpp: %s of a client never arrives, once or twice',
  async (name) => {
    expect((await post([name, 'smuggled'])).status).toBe(200);
    expectOnlyOurs();
    canary.arrivals.splice(0);
    expect((await post([name, 'smuggled', name.toUpperCase(), 'smuggled2'])).status).toBe(200);
    expectOnlyOurs();
  },
);

test('A52: headers that Connection lists go no further, and it cannot strip ours', async () => {
  const listed = [
    'X-Custom',
    'X-Valetkey-Identity',
    'X-Functions-Key',
    'X-Request-Id',
    'Content-Type',
    'Authorization',
  ];
  const { host } = new URL(product.url);
  const received = await sendBytes(
    product.url,
    [
      `POST ${path} HTTP/1.1`,
      `Host: ${host}`,
      `Authorization: Bearer ${token}`,
      'Content-Type: application/json',
      `Connection: close, ${listed.join(', ')}`,
      'X-Custom: smuggled',
      'Keep-Alive: smuggled',
      'TE: trailers',
      `Content-Length: ${call.length}`,
      '',
      call,
    ].join('\r\n'),
  );
  expect(statusOf(received)).toBe(200);
  expectOnlyOurs();
  expect(headerValues(canary.arrivals[0], 'te')).toEqual([]);
});

/** Head lines beside the request line and Host, then the bytes after the head. */
const framings: [what: string, lines: string[], body: string][] = [
  [
    'Transfer-Encoding and Content-Length',
    ['Content-Length: 5', 'Transfer-Encoding: chunked'],
    `0\r\n\r\nPOST ${path} HTTP/1.1\r\n`,
  ],
  [
    'Transfer-Encoding in odd letters beside a length',
    ['Content-Length: 5', 'Transfer-encoding: xchunked'],
    'hello',
  ],
  ['two different lengths', ['Content-Length: 40', 'Content-Length: 5'], call],
  ['a list of lengths', ['Content-Length: 40, 5'], call],
  ['a signed length', ['Content-Length: +40'], call],
  ['a negative length', ['Content-Length: -1'], call],
  ['a hexadecimal length', ['Content-Length: 0x28'], call],
  ['a blank before the colon', ['Content-Length : 40'], call],
  ['a folded header', ['X-Custom: a', ' X-Valetkey-Identity: smuggled', 'Content-Length: 40'], call],
  ['a folded first line', [' X-Valetkey-Identity: smuggled', 'Content-Length: 40'], call],
  ['a line feed in a value', ['X-Custom: a\nX-Valetkey-Identity: smuggled', 'Content-Length: 40'], call],
  [
    'a carriage return in a value',
    ['X-Custom: a\rX-Valetkey-Identity: smuggled', 'Content-Length: 40'],
    call,
  ],
  ['a NUL in a value', ['X-Custom: a\0smuggled', 'Content-Length: 40'], call],
  ['a NUL in a name', ['X-Valetkey\0-Identity: smuggled', 'Content-Length: 40'], call],
  ['a header without a name', [': smuggled', 'Content-Length: 40'], call],
  ['a chunk size that is none', ['Transfer-Encoding: chunked'], 'zz\r\nhello\r\n0\r\n\r\n'],
  ['a chunk size with a sign', ['Transfer-Encoding: chunked'], `+28\r\n${call}\r\n0\r\n\r\n`],
  ['a chunk extension with a line feed', ['Transfer-Encoding: chunked'], `28;a\nb\r\n${call}\r\n0\r\n\r\n`],
  ['chunked twice', ['Transfer-Encoding: chunked, chunked'], `28\r\n${call}\r\n0\r\n\r\n`],
  ['chunked and identity', ['Transfer-Encoding: chunked, identity'], `28\r\n${call}\r\n0\r\n\r\n`],
];

test.each(framings)(
  'A53: a request with %s is refused, or is the one request it says',
  async (_what, lines, body) => {
    const { host } = new URL(product.url);
    const head = [
      `POST ${path} HTTP/1.1`,
      `Host: ${host}`,
      `Authorization: Bearer ${token}`,
      'Content-Type: application/json',
      'Connection: close',
      ...lines,
    ];
    const received = await sendBytes(
      product.url,
      `${head.join('\r\n')}\r\n\r\n${body}`,
      (text) => /\r\n\r\n.*\}$/s.test(text) || text.includes(' 400 '),
    );
    if (canary.arrivals.length > 0) expectOnlyOurs();
    else expect([0, 400, 408, 413, 501]).toContain(statusOf(received));
  },
);

test('A53: bytes after a refused request are no request of their own', async () => {
  const { host } = new URL(product.url);
  const second = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Valetkey-Identity: smuggled\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n${call}`;
  // The first announces the second as its body, so the second is never read as a request.
  const received = await sendBytes(
    product.url,
    `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${second.length}\r\nConnection: close\r\n\r\n${second}`,
  );
  expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(statusOf(received)).toBe(401);
  // Pipelined: each is judged by itself, and only the one with a token goes on.
  const good = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n${call}`;
  const answers = await sendBytes(
    product.url,
    good + second.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
  );
  expect(answers.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 401']);
  expectOnlyOurs();
});

test("A52: trailers do not arrive, nor does the query of the client's address", async () => {
  const { host } = new URL(product.url);
  const received = await sendBytes(
    product.url,
    [
      `POST ${path}?code=smuggled&x-functions-key=smuggled HTTP/1.1`,
      `Host: ${host}`,
      `Authorization: Bearer ${token}`,
      'Content-Type: application/json',
      'Transfer-Encoding: chunked',
      'Trailer: X-Valetkey-Identity',
      'Connection: close',
      '',
      call.length.toString(16),
      call,
      '0',
      'X-Valetkey-Identity: smuggled',
      '',
      '',
    ].join('\r\n'),
  );
  expect(statusOf(received)).toBe(200);
  expectOnlyOurs();
});

test('A22: headers beyond the limit are 431, and the gateway goes on', async () => {
  const { status } = await send(product.url, {
    method: 'POST',
    path,
    headers: ['X-Large', 'x'.repeat(17_000)],
  });
  expect(status).toBe(431);
  const many = Array.from({ length: 3000 }, (_each, index) => [`X-${index}`, '1']).flat();
  expect((await send(product.url, { method: 'POST', path, headers: many })).status).toBe(431);
  expect((await post([])).status).toBe(200);
});
