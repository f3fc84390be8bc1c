/** Stops: one name or template that keeps the gateway matching, for longer the longer it is, while everybody waits. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
let canary: CanaryBackend;
let token: string;

const stars = '*a*a*a*a*a*a*a*a*';

beforeAll(async () => {
  canary = await startCanaryBackend();
  const rule = { anyRole: ['Snippets.Reader'] };
  product = await startProduct({
    backends: () => ({
      patterns: {
        path: '/snippets/mcp',
        upstream: canary.url,
        scopes: { 'snippets.use': 'Use it' },
        tools: { [`${stars}b`]: rule, [`xy${stars}`]: rule, '*%2e*': rule },
        prompts: { [`${stars}b`]: rule, [`xy${stars}`]: rule },
        resources: { [`file:///${stars}b`]: rule, [`file:///x/${stars}`]: rule, '*://*/*/*/*.a': rule },
        otherTools: 'deny',
        otherPrompts: 'deny',
        otherResources: 'deny',
      },
    }),
  });
  ({ accessToken: token } = await obtainTokens(product, product.people.reader));
});
afterAll(async () => {
  await product.close();
  await canary.close();
});

/** What takes the square of it takes hours; what takes more than that never ends. */
const length = 1_000_000;
/** Reading, judging and answering so much takes a hundredth of it. */
const boundMs = 5000;

const many = (unit: string, end = '') => unit.repeat(Math.floor(length / unit.length)) + end;
const hostile: readonly [name: string, text: string][] = [
  ['one letter', many('a')],
  ['one letter and what no rule ends with', many('a', '!')],
  ['escapes', many('%2e')],
  ['escapes of escapes', `%${many('25')}`],
  ['percent signs', many('%')],
  ['dot segments', many('../')],
  ['dots', many('.')],
  ['slashes', many('/')],
  ['expressions', many('{a}')],
  ['expressions that explode', many('{/a*}{?b*}{;c*}{&d*}')],
  ['open braces', many('{')],
  ['closed braces', many('}')],
  ['stars', many('*')],
  ['letters with stars', many('*a')],
  ['file URIs', many('file:///')],
];

const operations: readonly [method: string, params: (text: string) => Record<string, unknown>][] = [
  ['tools/call', (name) => ({ name, arguments: {} })],
  ['prompts/get', (name) => ({ name })],
  ['resources/read', (text) => ({ uri: `file:///${text}` })],
  ['resources/subscribe', (uri) => ({ uri })],
  [
    'completion/complete',
    (text) => ({ ref: { type: 'ref/resource', uri: `file:///${text}` }, argument: { name: 'a', value: '' } }),
  ],
  [
    'completion/complete',
    (name) => ({ ref: { type: 'ref/prompt', name }, argument: { name: 'a', value: '' } }),
  ],
];

test.each(hostile)('CVE-2026-0621: %s, however many, are judged in a moment', async (_name, text) => {
  for (const [method, params] of operations) {
    const started = performance.now();
    const { status } = await callMcp(product.mcpUrl, token, method, params(text));
    expect(performance.now() - started, method).toBeLessThan(boundMs);
    expect([200, 400, 403], method).toContain(status);
  }
});

test('CVE-2026-0621: as many URIs as a body holds are judged in a moment too', async () => {
  const uris = Array.from({ length: 60_000 }, (_each, index) => `file:///${'a'.repeat(40)}${index}!`);
  const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' };
  const params = { notifications: { resourceSubscriptions: uris }, _meta: meta };
  const started = performance.now();
  const { status } = await callMcp(product.mcpUrl, token, 'subscriptions/listen', params, headers);
  expect(performance.now() - started).toBeLessThan(boundMs);
  expect(status).toBe(403);
});
