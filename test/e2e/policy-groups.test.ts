/** Rules that go by groups: of the token, of Microsoft Graph where a person is in too many, and what happens without either. */
import { afterEach, expect, test } from 'vitest';
import { createHttpBrowser, signInOverHttp } from '../support/http-person.ts';
import {
  authorizeRequest,
  callMcp,
  obtainTokens,
  readMessage,
  refresh,
  registerClient,
} from '../support/oauth-client.ts';
import { type Product, type ProductOptions, snippetsBackend, startProduct } from '../support/product.ts';

/** The emulator's: person n of the seed is in the first few of these, Otto in 250. */
const groupId = (index: number) => `70000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
const ofTwo = groupId(1);
const ofOttoOnly = groupId(240);
const ofNobody = groupId(9999);

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(rules: Record<string, unknown>, options: ProductOptions = {}): Promise<Product> {
  const backends = (url: string) => ({
    snippets: { ...snippetsBackend(url), tools: {}, ...rules },
    plain: { ...snippetsBackend(url), path: '/plain/mcp' },
  });
  const product = await startProduct({ backends, ...options });
  closers.push(() => product.close());
  return product;
}

const toolRules = {
  tools: {
    save_snippet: { anyGroup: [ofOttoOnly, ofNobody] },
    get_snippet: { anyGroup: [ofTwo] },
  },
};

async function call(product: Product, token: string, name: string) {
  const answer = await callMcp(product.mcpUrl, token, 'tools/call', {
    name,
    arguments: { name: 'a', snippetname: 'a' },
  });
  return { status: answer.status, message: await readMessage(answer) };
}

const graphCalls = ({ emulator }: Product) =>
  emulator.control
    .requestLog()
    .filter(({ path }) => path.includes('/me/'))
    .map(({ path, status }) => `${path} ${status}`);

/** Goes through all pages. @returns the page or the redirect at the end. */
async function signIn(product: Product, person: Product['people']['overage'], resource = product.mcpUrl) {
  const clientId = await registerClient(product);
  const request = authorizeRequest(product, clientId, { resource });
  const options = { person, gateway: product.url, emulator: product.emulator.httpOrigin };
  return signInOverHttp(createHttpBrowser(), request.url, options);
}

const reasons = async (product: Product) =>
  (await product.readAudit()).map(({ event, reason }) => `${String(event)} ${String(reason)}`);

test('A24: groups of the token decide, without asking anybody; a group that is missing is named', async () => {
  const product = await start(toolRules);
  const { accessToken } = await obtainTokens(product, product.people.reader);
  expect((await call(product, accessToken, 'get_snippet')).status).toBe(200);
  const denied = await call(product, accessToken, 'save_snippet');
  expect(denied.status).toBe(403);
  expect(denied.message).toMatchObject({
    error: { data: { reason: 'missing_group', missingGroups: [ofOttoOnly, ofNobody] } },
  });
  const tools = await readMessage(await callMcp(product.mcpUrl, accessToken, 'tools/list'));
  expect(JSON.stringify(tools)).toContain('get_snippet');
  expect(JSON.stringify(tools)).not.toContain('save_snippet');
  expect(graphCalls(product)).toEqual([]);
});

test('A24: of a person in 250 groups Graph is asked for those that rules name, and nothing else is kept', async () => {
  const product = await start(toolRules);
  const inMany = await obtainTokens(product, product.people.overage);
  expect((await call(product, inMany.accessToken, 'save_snippet')).status).toBe(200);
  expect((await call(product, inMany.accessToken, 'get_snippet')).status).toBe(200);
  expect(graphCalls(product)).toEqual(['/v1.0/me/checkMemberGroups 200']);
  const inTwo = await obtainTokens(product, product.people.reader);
  expect(inMany.accessToken.length - inTwo.accessToken.length, 'one group id more').toBeLessThan(100);
});

test('A24: where no rule names a group, none is asked for and none is in a token', async () => {
  const product = await start({});
  const { accessToken } = await obtainTokens(product, product.people.overage);
  expect((await call(product, accessToken, 'get_snippet')).status).toBe(200);
  expect(graphCalls(product)).toEqual([]);
  const asked = product.emulator.control.requestLog().find(({ path }) => path.endsWith('/authorize'));
  expect(asked?.query['scope']).not.toContain('User.Read');
});

test('A24: `enter` by group keeps everybody else out at the sign-in, with a page that says so', async () => {
  const product = await start({ enter: { anyGroup: [ofOttoOnly] } });
  await obtainTokens(product, product.people.overage);
  const page = await signIn(product, product.people.writer);
  expect(page.status).toBe(403);
  expect(page.text).toContain('add you to a group');
  await expect.poll(() => reasons(product)).toContain('callback missing_group');
});

test('A17 A26: while Graph is away a person in too many groups cannot sign in where rules need them, and others can', async () => {
  const product = await start(toolRules);
  product.emulator.control.setFault({ endpoint: 'graph' }, { kind: 'status', status: 503 });
  const page = await signIn(product, product.people.overage);
  expect(page.status).toBe(503);
  expect(page.text).toContain('Sign-in is not available right now');
  await expect.poll(() => reasons(product)).toContain('callback groups_unknown');
  await obtainTokens(product, product.people.reader);
  await obtainTokens(product, product.people.overage, { resource: `${product.url}/plain/mcp` });
});

test('A57: a group that is lost is lost at the next confirmation: the old token is refused, the new one says so', async () => {
  const product = await start(toolRules, { config: { leaver: { checkSeconds: 60 } } });
  const { username } = product.people.overage;
  const { accessToken, clientId, refreshToken } = await obtainTokens(product, product.people.overage);
  product.emulator.control.setGroups(
    username,
    Array.from({ length: 230 }, (_, index) => groupId(index)),
  );
  expect((await call(product, accessToken, 'save_snippet')).status).toBe(200);
  product.time.aheadMs += 60_000;
  expect((await call(product, accessToken, 'save_snippet')).status).toBe(401);
  const renewed = await refresh(product, clientId, refreshToken);
  const now = String(renewed.body['access_token']);
  expect((await call(product, now, 'save_snippet')).status).toBe(403);
  expect((await call(product, now, 'get_snippet')).status).toBe(200);
});

test('A17: while Graph is away a signed-in person keeps what they have, and their refresh is told to come again', async () => {
  const product = await start(toolRules, { config: { leaver: { checkSeconds: 60 } } });
  const { accessToken, clientId, refreshToken } = await obtainTokens(product, product.people.overage);
  product.emulator.control.setFault({ endpoint: 'graph' }, { kind: 'throttle', retryAfterSeconds: 60 });
  product.time.aheadMs += 60_000;
  expect((await call(product, accessToken, 'save_snippet')).status).toBe(200);
  expect((await refresh(product, clientId, refreshToken)).status).toBe(503);
  product.emulator.control.clearFaults();
  product.time.aheadMs += 60_000;
  const renewed = await refresh(product, clientId, refreshToken);
  expect((await call(product, String(renewed.body['access_token']), 'save_snippet')).status).toBe(200);
});

test('the person is told on the consent page, and Entra is asked, for what reading groups takes', async () => {
  const product = await start(toolRules);
  const request = authorizeRequest(product, await registerClient(product));
  const page = await createHttpBrowser().follow(request.url, [product.url]);
  expect(page.text).toContain('User.Read');
  await obtainTokens(product, product.people.reader);
  const asked = product.emulator.control.requestLog().find(({ path }) => path.endsWith('/authorize'));
  expect(asked?.query['scope']).toContain('User.Read');
});
