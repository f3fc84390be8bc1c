/** The access log: one line per request, by route, with nothing in it that a URL or a person brought. */
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { AccessLine } from '@valetkey/gateway/telemetry/access-log';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens, refresh, type Tokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
let tokens: Tokens;

beforeAll(async () => {
  product = await startProduct({
    config: { accessLog: { file: './access.log' } },
  });
  tokens = await obtainTokens(product, product.people.reader);
});
afterAll(() => product.close());

const readText = () => readFile(join(product.directory, 'access.log'), 'utf8').catch(() => '');
async function linesWhere(isWanted: (line: AccessLine) => boolean, count = 1): Promise<AccessLine[]> {
  const read = async () =>
    (await readText())
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as AccessLine)
      .filter(isWanted);
  await expect.poll(async () => (await read()).length).toBeGreaterThanOrEqual(count);
  return read();
}

test('a call: its id, route, status, bytes, duration and kind of client', async () => {
  const answer = await callMcp(`${product.mcpUrl}?secret=in-the-query`, tokens.accessToken, 'tools/list');
  const text = await answer.text();
  const requestId = answer.headers.get('x-request-id') ?? '';
  const [line] = await linesWhere((each) => each.requestId === requestId);
  expect(line).toMatchObject({ method: 'POST', route: '/snippets/mcp', status: 200, client: 'dynamic' });
  expect(line?.bytes).toBeGreaterThan(text.length);
  expect(line?.bytes).toBeLessThan(text.length + 2000);
  expect(line?.durationMs).toBeGreaterThan(0);
});

test('each step of a sign-in, by its route', async () => {
  await refresh(product, tokens.clientId, tokens.refreshToken);
  const [last] = await linesWhere(({ route, client }) => route === '/token' && client === 'dynamic', 2);
  expect(last?.status).toBe(200);
  const routes = new Set((await linesWhere(() => true)).map(({ method, route }) => `${method} ${route}`));
  for (const row of [
    'POST /register',
    'GET /authorize',
    'GET /consent/*',
    'POST /consent/*',
    'GET /auth/callback',
    'GET /authorize/*',
    'POST /token',
  ])
    expect([...routes]).toContain(row);
});

test('what fits no route, and methods that are none, are told without the words of whoever sent them', async () => {
  await fetch(`${product.url}/wp-admin/secret-path`);
  const [line] = await linesWhere(({ status, route }) => status === 404 && route === undefined);
  expect(line).toMatchObject({ method: 'GET' });
  expect(await readText()).not.toContain('secret-path');
});

test('a client that goes away before its answer is 499', async () => {
  const { port, hostname } = new URL(product.url);
  const socket = connect(Number(port), hostname);
  const head = [
    'POST /snippets/mcp HTTP/1.1',
    `Host: localhost:${port}`,
    `Authorization: Bearer ${tokens.accessToken}`,
    'Content-Type: application/json',
    'Content-Length: 100',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n{`, () => socket.destroy());
  const [line] = await linesWhere(({ status }) => status === 499);
  expect(line).toMatchObject({ method: 'POST', route: '/snippets/mcp' });
});

test('A15 D13 D43: no token, no query, no person and no id of a page', async () => {
  await linesWhere(({ route }) => route === '/auth/callback');
  const text = await readText();
  const { reader } = product.people;
  const users = product.emulator.seed.tenants.flatMap((tenant) => tenant.users);
  for (const word of [
    tokens.accessToken,
    tokens.clientId,
    reader.username,
    'in-the-query',
    'code=',
    'Bearer',
    ...users.map(({ objectId }) => objectId),
  ])
    expect(text).not.toContain(word);
  expect(text).not.toMatch(/\/consent\/[\w-]{20}/);
});
