/** An MCP session of the older protocol: opened at one replica, it goes on at any, for the person who opened it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CanaryBackend, headerValues, startCanaryBackend } from '../support/canary-backend.ts';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { snippetsBackend } from '../support/product.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';

let backend: CanaryBackend;
let product: Replicas;
let reader: string;
let writer: string;

beforeAll(async () => {
  backend = await startCanaryBackend();
  product = await startReplicas({ config: { backends: { snippets: snippetsBackend(backend.url) } } });
  reader = (await obtainTokens(product, product.person('reader'))).accessToken;
  writer = (await obtainTokens(product, product.person('writer'))).accessToken;
});
afterAll(async () => {
  await product.close();
  await backend.close();
});

async function open(token: string, replica: number): Promise<string> {
  const answer = await callMcp(product.mcpUrl, token, 'initialize', {}, { 'x-replica': String(replica) });
  await answer.arrayBuffer();
  expect(answer.status).toBe(200);
  return answer.headers.get('mcp-session-id') ?? '';
}

async function call(token: string, session: string, replica: number): Promise<Response> {
  const headers = { 'mcp-session-id': session, 'x-replica': String(replica) };
  const answer = await callMcp(product.mcpUrl, token, 'tools/list', {}, headers);
  await answer.arrayBuffer();
  return answer;
}

test('A57 D61: any replica brings the session to its backend, for its own person only', async () => {
  const session = await open(reader, 0);
  expect(session).toMatch(/^session-/);
  expect((await call(writer, session, 1)).status, 'before its own person was there').toBe(404);
  const arrivals = backend.arrivals.length;
  for (const replica of [1, 0, 1]) expect((await call(reader, session, replica)).status).toBe(200);
  expect(backend.arrivals.slice(arrivals).flatMap((each) => headerValues(each, 'mcp-session-id'))).toEqual([
    session,
    session,
    session,
  ]);
  for (const replica of [0, 1]) {
    expect((await call(writer, session, replica)).status).toBe(404);
    expect((await call(reader, 'made-up', replica)).status).toBe(404);
  }
  expect(backend.arrivals.length).toBe(arrivals + 3);
});

test('A57: while the store is away a known session goes on, and one that only the store knows is 503, to be tried again', async () => {
  const session = await open(reader, 0);
  product.store.isDown = true;
  try {
    expect((await call(reader, session, 0)).status).toBe(200);
    const later = await call(reader, session, 1);
    expect([later.status, later.headers.get('retry-after')]).toEqual([503, '5']);
    const opened = await open(reader, 1);
    expect((await call(reader, opened, 1)).status).toBe(200);
  } finally {
    product.store.isDown = false;
  }
  expect((await call(reader, session, 1)).status).toBe(200);
});

test('A57: a session that was ended at one replica is over at it, and the backend decides at the other', async () => {
  const session = await open(reader, 0);
  const ended = await fetch(product.mcpUrl, {
    method: 'DELETE',
    headers: {
      authorization: `Bearer ${reader}`,
      'mcp-session-id': session,
      'mcp-protocol-version': '2025-11-25',
      'x-replica': '1',
    },
  });
  expect(ended.status).toBe(200);
  expect((await call(reader, session, 1)).status).toBe(404);
});
