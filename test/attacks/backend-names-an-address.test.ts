/** Stops: a backend that makes the gateway fetch, or its client go, where the backend likes: only configured addresses are asked. */
import { SNIPPETS_API_URI } from '@valetkey/entra-emulator';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CanaryBackend, type CanaryRefusal, startCanaryBackend } from '../support/canary-backend.ts';
import { startTripwire, type Tripwire } from '../support/hostile-host.ts';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

const kinds = ['none', 'person'] as const;
type Kind = (typeof kinds)[number];

let canary: CanaryBackend;
let tripwire: Tripwire;
let product: Product;
let answer: CanaryRefusal | undefined;
const tokens = new Map<Kind, string>();

beforeAll(async () => {
  tripwire = await startTripwire();
  canary = await startCanaryBackend(() => answer);
  const entra = { scopes: [`${SNIPPETS_API_URI}/snippets.use`] };
  product = await startProduct({
    backends: () => ({
      none: { path: '/none/mcp', upstream: canary.url },
      person: { path: '/person/mcp', upstream: canary.url, credential: { entra } },
    }),
  });
  for (const kind of kinds) {
    const wanted = { resource: `${product.url}/${kind}/mcp`, scope: `${kind}.use` };
    tokens.set(kind, (await obtainTokens(product, product.people.reader, wanted)).accessToken);
  }
});
beforeEach(() => {
  answer = undefined;
  canary.arrivals.length = 0;
});
afterAll(async () => {
  await product.close();
  await canary.close();
  await tripwire.close();
});

const elsewhere = () => `http://127.0.0.1:${tripwire.port}`;

const hostile: [what: string, answer: () => CanaryRefusal][] = [
  ...[301, 302, 303, 307, 308].map((status): [string, () => CanaryRefusal] => [
    `a redirect ${status}`,
    () => ({ status, headers: { location: `${elsewhere()}/latest/meta-data` } }),
  ]),
  [
    'metadata of another authorization server',
    () => ({
      status: 401,
      headers: {
        'www-authenticate': `Bearer error="invalid_token", resource_metadata="${elsewhere()}/prm", authorization_uri="${elsewhere()}/authorize"`,
      },
    }),
  ],
  [
    'a claims challenge with an authority of its own',
    () => ({
      status: 401,
      headers: {
        'www-authenticate': `Bearer authorization_uri="${elsewhere()}/authorize", error="insufficient_claims", claims="${Buffer.from(
          JSON.stringify({ access_token: { nbf: { essential: true, value: '1' } }, issuer: elsewhere() }),
        ).toString('base64')}"`,
      },
    }),
  ],
  [
    'a proxy challenge',
    () => ({ status: 407, headers: { 'proxy-authenticate': `Basic realm="${elsewhere()}"` } }),
  ],
  [
    'an alternative service',
    () => ({ status: 200, headers: { 'alt-svc': `h2="127.0.0.1:${tripwire.port}"` } }),
  ],
  [
    'a refresh and a link',
    () => ({ status: 200, headers: { refresh: `0;url=${elsewhere()}`, link: `<${elsewhere()}>` } }),
  ],
];

test.each(hostile)('GHSA-vv7q-7jx5-f767 D42: %s leads the gateway nowhere', async (_what, hostileAnswer) => {
  for (const kind of kinds) {
    answer = hostileAnswer();
    canary.arrivals.length = 0;
    const response = await callMcp(`${product.url}/${kind}/mcp`, tokens.get(kind), 'tools/list');
    const heard = [
      'location',
      'www-authenticate',
      'proxy-authenticate',
      'alt-svc',
      'refresh',
      'content-location',
    ];
    for (const name of heard) expect(response.headers.get(name) ?? '').not.toContain(String(tripwire.port));
    expect(await response.text()).not.toContain(String(tripwire.port));
    expect(
      canary.arrivals.every(({ url }) => url === '/mcp'),
      'nothing of its well-known pages',
    ).toBe(true);
    expect(canary.arrivals.length, 'once more at most').toBeLessThanOrEqual(2);
  }
  expect(tripwire.touched()).toBe(0);
  const asked = product.emulator.control.requestLog();
  expect(asked.every(({ mistake }) => mistake === undefined)).toBe(true);
});
