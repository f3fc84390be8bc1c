/** Stops: one client of a stdio server that several people share, who changes what it is for all of them. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

const fixtureOf = (name: string) =>
  fileURLToPath(new URL(`../../packages/gateway/src/proxy/stdio/${name}`, import.meta.url));
const prefix = 'io.modelcontextprotocol/';
const version = '2026-07-28';

let product: Product;
let anna: Person;
let ben: Person;

interface Person {
  /** In a session of the older era. */
  ask(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>;
  say(message: Record<string, unknown>): Promise<number>;
  /** In the era without sessions. */
  modern(
    method: string,
    params?: Record<string, unknown>,
    meta?: Record<string, unknown>,
  ): Promise<Record<string, unknown>>;
}

const shared = (path: string, fixture: string) => ({
  path,
  command: [process.execPath, fixtureOf(fixture)],
  mode: 'shared',
  scopes: ['snippets.use'],
});

beforeAll(async () => {
  product = await startProduct({
    backends: () => ({
      snippets: shared('/snippets/mcp', 'child-fixture.suite.ts'),
      modern: shared('/modern/mcp', 'sdk-fixture.suite.ts'),
    }),
  });
  anna = await begin(product.people.reader);
  ben = await begin(product.people.writer);
});
afterAll(() => product.close());

async function begin(person: Product['people']['reader']): Promise<Person> {
  const { accessToken } = await obtainTokens(product, person);
  const modernUrl = `${product.url}/modern/mcp`;
  const modern = (await obtainTokens(product, person, { resource: modernUrl })).accessToken;
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 't', version: '1' },
  };
  const greeting = await callMcp(product.mcpUrl, accessToken, 'initialize', params);
  const session = { 'mcp-session-id': greeting.headers.get('mcp-session-id') ?? '' };
  await greeting.text();
  return {
    ask: async (method, more = {}) =>
      readMessage(await callMcp(product.mcpUrl, accessToken, method, more, session)),
    async say(message) {
      const headers = {
        ...session,
        authorization: `Bearer ${accessToken}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      };
      const body = JSON.stringify({ jsonrpc: '2.0', ...message });
      const answer = await fetch(product.mcpUrl, { method: 'POST', headers, body });
      await answer.text();
      return answer.status;
    },
    async modern(method, more = {}, meta = whole) {
      const name = typeof more['name'] === 'string' ? { 'mcp-name': more['name'] } : {};
      const headers = { 'mcp-protocol-version': version, 'mcp-method': method, ...name };
      return readMessage(await callMcp(modernUrl, modern, method, { ...more, _meta: meta }, headers));
    },
  };
}

const whole = {
  [`${prefix}protocolVersion`]: version,
  [`${prefix}clientInfo`]: { name: 'test', version: '1' },
  [`${prefix}clientCapabilities`]: {},
};

const who = async (person: Person) => {
  const { result } = await person.modern('tools/call', { name: 'who', arguments: {} });
  return (result as { content: { text: string }[] } | undefined)?.content[0]?.text;
};

test('A24 D14: nobody says anew, for all, what a client can be asked for', async () => {
  const capabilities = { roots: { listChanged: true }, sampling: {}, elicitation: {} };
  const params = { protocolVersion: '2024-11-05', capabilities, clientInfo: { name: 'evil', version: '1' } };
  expect(await anna.ask('initialize', params)).toMatchObject({ error: { code: -32601 } });
  expect(await anna.say({ method: 'notifications/initialized' })).toBe(202);
  expect(await anna.say({ method: 'notifications/roots/list_changed' })).toBe(202);
  const { result } = await ben.ask('heard');
  const { methods } = result as { methods: string[] };
  expect(methods.filter((method) => /initialize|roots/.test(method))).toEqual([
    'initialize',
    'notifications/initialized',
  ]);
});

test('D14 CVE-2026-25536: nobody answers what the server asks somebody else', async () => {
  const held = ben.ask('hold');
  const hasArrived = async () => JSON.stringify(await anna.ask('heard'));
  await expect.poll(hasArrived).toContain('"hold"');
  // The fixture takes this for the answer to its question about request N, and answers that one with it.
  for (let request = 0; request < 30; request += 1) {
    expect(await anna.say({ id: `asked-${request}`, result: { forged: true } })).toBe(202);
    expect(await anna.say({ id: `asked-${request}`, error: { code: 1, message: 'forged' } })).toBe(202);
  }
  await anna.ask('release');
  expect(await held).toMatchObject({ result: { released: true } });
});

test('A22: nobody’s odd question of what it is sends everybody else back to the older era', async () => {
  const before = await who(ben);
  expect(before).toMatch(/^10000000-\S+ \d+$/);
  const odd: [Record<string, unknown>, Record<string, unknown>][] = [
    [{}, { [`${prefix}protocolVersion`]: version }],
    [{}, { ...whole, [`${prefix}clientInfo`]: 7 }],
    [{}, { ...whole, [`${prefix}clientCapabilities`]: 'none' }],
    [{ cursor: 7 }, whole],
  ];
  for (const [params, meta] of odd) await anna.modern('server/discover', params, meta);
  expect(await who(ben), 'the same process').toBe(before);
});

test('D14: nor does what is of the older era, said in the newer one', async () => {
  const before = await who(ben);
  for (const method of ['initialize', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']) {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'x', version: '1' },
      level: 'debug',
      uri: 'file:///x',
    };
    expect(await anna.modern(method, params), method).toMatchObject({ error: { code: -32601 } });
  }
  expect(await who(ben)).toBe(before);
});
