/** Stops: a call that waits for its turn at a full backend, and goes out although its right has ended while it waited. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { callMcp, obtainTokens, postForm, postJson, type Tokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { openSseClient } from '../support/sse-client.ts';

let product: Product;
let backend: Server;
let tokens: Tokens;
/** Whose place the others wait for. */
let holder: string;
const held: ServerResponse[] = [];
const arrived: string[] = [];

const upstream = () => `http://127.0.0.1:${(backend.address() as AddressInfo).port}/mcp`;
const backendOf = (more: Record<string, unknown> = {}) => ({
  snippets: {
    path: '/snippets/mcp',
    upstream: upstream(),
    scopes: ['snippets.use'],
    maxConcurrent: 1,
    maxQueued: 10,
    queueMs: 60_000,
    legacySse: { sse: '/snippets/mcp/sse', message: '/snippets/mcp/message' },
    ...more,
  },
});
const closed = { tools: { wipe: { anyRole: ['Snippets.Admin'] } } };

beforeAll(async () => {
  backend = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      arrived.push(body);
      if (body.includes('"hold"')) held.push(res);
      else answer(res);
    });
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  product = await startProduct({ backends: () => backendOf() });
});
afterAll(async () => {
  await product.close();
  backend.closeAllConnections();
  await new Promise((resolve) => backend.close(resolve));
});
beforeEach(async () => {
  product.time.aheadMs = 0;
  await product.reload({ backends: backendOf() });
  holder = (await obtainTokens(product, product.people.writer)).accessToken;
  tokens = await obtainTokens(product, product.people.reader);
  arrived.length = 0;
});

function answer(res: ServerResponse | undefined): void {
  res?.writeHead(200, { 'content-type': 'application/json' });
  res?.end('{"jsonrpc":"2.0","id":1,"result":{}}');
}

/** A call that has the only place, until it is let go. */
async function takeThePlace() {
  const answered = callMcp(product.mcpUrl, holder, 'tools/call', { name: 'hold' });
  await expect.poll(() => held.length).toBe(1);
  return {
    async leave() {
      answer(held.pop());
      expect((await answered).status).toBe(200);
    },
  };
}

const wipe = (token = tokens.accessToken) => callMcp(product.mcpUrl, token, 'tools/call', { name: 'wipe' });

/** What takes no place, sent later: when it is answered, whatever was sent before waits. */
async function letInBefore(): Promise<void> {
  const notice = { jsonrpc: '2.0', method: 'notifications/noticed' };
  const { status } = await postJson(product.mcpUrl, notice, { authorization: `Bearer ${holder}` });
  expect(status).toBe(200);
}

async function revoke(): Promise<void> {
  const { clientId, refreshToken } = tokens;
  await postForm(`${product.url}/revoke`, { token: refreshToken, client_id: clientId });
}

const wiped = () => arrived.filter((body) => body.includes('wipe'));
const reasonsOf = async (httpStatus: number) =>
  (await product.readAudit())
    .filter((record) => record['event'] === 'access.denied' && record['httpStatus'] === httpStatus)
    .map(({ reason }) => reason);

test('A56 A22: a call of a session that ended while it waited is not made', async () => {
  const place = await takeThePlace();
  const waiting = wipe();
  await letInBefore();
  await revoke();
  await place.leave();
  const { status, headers } = await waiting;
  expect(status).toBe(401);
  expect(headers.get('www-authenticate')).toContain('error="invalid_token"');
  expect(wiped()).toEqual([]);
  await expect.poll(() => reasonsOf(401)).toContain('session_ended');
});

test('A56: nor is one whose token has expired', async () => {
  const place = await takeThePlace();
  const waiting = wipe();
  await letInBefore();
  product.time.aheadMs = 2 * 3600 * 1000;
  await place.leave();
  expect((await waiting).status).toBe(401);
  expect(wiped()).toEqual([]);
  await expect.poll(() => reasonsOf(401)).toContain('token_expired');
});

test('A24: a call that waited while the rules changed is judged by the rules of now', async () => {
  const place = await takeThePlace();
  const waiting = wipe();
  await letInBefore();
  await product.reload({ backends: backendOf(closed) });
  await place.leave();
  expect((await waiting).status).toBe(403);
  expect(wiped()).toEqual([]);
  await expect.poll(() => reasonsOf(403)).toContain('missing_role');
});

test('A24: what waited while the server was taken out of the configuration does not reach it', async () => {
  const place = await takeThePlace();
  const waiting = wipe();
  await letInBefore();
  await product.reload({
    backends: { other: { ...backendOf().snippets, path: '/other/mcp', legacySse: undefined } },
  });
  await place.leave();
  expect((await waiting).status).toBe(401);
  expect(wiped()).toEqual([]);
});

test('A24: so is a message of the older transport, and its stream says why', async () => {
  const client = await openSseClient(`${product.mcpUrl}/sse`, tokens.accessToken);
  const place = await takeThePlace();
  const waiting = client.request('tools/call', { name: 'wipe' });
  await letInBefore();
  await product.reload({ backends: backendOf(closed) });
  await place.leave();
  expect(await waiting).toMatchObject({ error: { code: 403, message: expect.stringContaining('waited') } });
  expect(wiped()).toEqual([]);
  await expect.poll(() => reasonsOf(202)).toContain('missing_role');
  client.close();
});

test('the control: a call whose right goes on is made, and one that is refused leaves its place to the next', async () => {
  const place = await takeThePlace();
  const first = wipe();
  await letInBefore();
  const second = wipe(holder);
  await letInBefore();
  await revoke();
  await place.leave();
  expect([(await first).status, (await second).status]).toEqual([401, 200]);
  expect(wiped()).toHaveLength(1);
  expect((await wipe(holder)).status).toBe(200);
});
