/** The rules of a policy, end to end: tools by what their server says of them, prompts and resources by name and pattern. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type LibraryBackend, startLibraryBackend } from '../support/library-backend.ts';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

const writer = { anyRole: ['Snippets.Writer'] };
const rules = {
  enter: { anyRole: ['Snippets.Reader'] },
  tools: { '*': { readOnlyUnless: writer }, 'burn_*': { anyRole: ['Snippets.Admin'] } },
  prompts: { 'admin_*': writer },
  resources: { 'file:///projects/*': {}, 'file:///secret/*': writer },
  otherResources: 'deny',
};

let library: LibraryBackend;
let product: Product;
const tokens: Record<'reader' | 'writer', string> = { reader: '', writer: '' };

beforeAll(async () => {
  library = await startLibraryBackend();
  product = await startProduct({
    replicas: 2,
    backends: () => ({
      library: { path: '/library/mcp', upstream: library.url, scopes: ['snippets.use'], ...rules },
    }),
  });
  for (const who of ['reader', 'writer'] as const) {
    const options = { resource: `${product.url}/library/mcp` };
    tokens[who] = (await obtainTokens(product, product.people[who], options)).accessToken;
  }
});
afterAll(async () => {
  await product.close();
  await library.close();
});
beforeEach(() => {
  library.ran.length = 0;
});

async function ask(who: 'reader' | 'writer', method: string, params: Record<string, unknown> = {}) {
  const answer = await callMcp(`${product.url}/library/mcp`, tokens[who], method, params);
  return { status: answer.status, message: await readMessage(answer) };
}
const call = (who: 'reader' | 'writer', name: string) => ask(who, 'tools/call', { name, arguments: {} });

test('A24: a tool of which nobody has heard is for those who may write; once listed anywhere, for readers everywhere', async () => {
  product.replicas.only = 0;
  const early = await call('reader', 'read_book');
  expect(early).toMatchObject({
    status: 403,
    message: { error: { data: { reason: 'unknown_tool', missingRoles: ['Snippets.Writer'] } } },
  });
  expect(JSON.stringify(early.message)).toContain('list the tools first');
  expect((await call('writer', 'write_book')).status).toBe(200);

  product.replicas.only = 1;
  const list = await ask('reader', 'tools/list');
  expect(JSON.stringify(list.message)).toContain('read_book');
  expect(JSON.stringify(list.message)).not.toMatch(/write_book|burn_book/);
  expect((await call('reader', 'read_book')).status).toBe(200);

  product.replicas.only = 0;
  await expect.poll(async () => (await call('reader', 'read_book')).status, { timeout: 5000 }).toBe(200);
  const denied = await call('reader', 'write_book');
  expect(denied).toMatchObject({ status: 403, message: { error: { data: { reason: 'missing_role' } } } });
  product.replicas.only = undefined;
  expect(library.ran.filter((what) => what === 'tool write_book')).toHaveLength(1);
});

test('A24: a more specific pattern decides alone, also against those who may write', async () => {
  await ask('writer', 'tools/list');
  expect((await call('writer', 'burn_book')).status).toBe(403);
  expect(library.ran).toEqual([]);
});

test.each([
  ['prompts/list', /summarize/, /admin_report/],
  ['resources/list', /file:\/\/\/projects\/plan/, /secret/],
  ['resources/templates/list', /file:\/\/\/projects\/\{name\}/, /secret/],
])('A24: %s shows a person what they may use, and nothing else', async (method, shown, hidden) => {
  const forReader = JSON.stringify((await ask('reader', method)).message);
  expect(forReader).toMatch(shown);
  expect(forReader).not.toMatch(hidden);
  expect(JSON.stringify((await ask('writer', method)).message)).toMatch(hidden);
});

const complete = (ref: Record<string, string>, name: string) => ({ ref, argument: { name, value: '' } });

test.each<[string, Record<string, unknown>, string]>([
  ['prompts/get', { name: 'admin_report', arguments: { style: 'fast' } }, 'prompt admin_report'],
  ['resources/read', { uri: 'file:///secret/plan' }, 'resource file:///secret/plan'],
  ['resources/read', { uri: 'file:///secret/plan/notes' }, 'resource file:///secret/plan/notes'],
  ['completion/complete', complete({ type: 'ref/prompt', name: 'admin_report' }, 'style'), ''],
  ['completion/complete', complete({ type: 'ref/resource', uri: 'file:///secret/{name}/notes' }, 'name'), ''],
])('A24: %s %j is for those whom its rule names', async (method, params, ran) => {
  const denied = await ask('reader', method, params);
  expect(denied).toMatchObject({ status: 403, message: { error: { data: { reason: 'missing_role' } } } });
  expect(library.ran).toEqual([]);
  const allowed = await ask('writer', method, params);
  expect(allowed.message).toHaveProperty('result');
  expect(library.ran).toEqual(ran === '' ? [] : [ran]);
});

test.each<[string, Record<string, unknown>]>([
  ['prompts/get', { name: 'summarize', arguments: { style: 'fast' } }],
  ['resources/read', { uri: 'file:///projects/plan' }],
  ['completion/complete', complete({ type: 'ref/prompt', name: 'summarize' }, 'style')],
  ['completion/complete', complete({ type: 'ref/resource', uri: 'file:///projects/{name}/notes' }, 'name')],
])('%s %j is for everybody who may enter', async (method, params) => {
  expect((await ask('reader', method, params)).message).toHaveProperty('result');
});
