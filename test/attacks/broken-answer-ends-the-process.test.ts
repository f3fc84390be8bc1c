/** Stops: a backend that breaks an answer off while nobody reads it yet, and by that ends the gateway for everybody. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { SNIPPETS_API_URI } from '@valetkey/entra-emulator';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
let backend: Server;
let token: string;
let olderToken: string;
/** Head of the next answers; a part of the body follows, and then nothing. */
const next = { head: '' };
/** Sockets whose answer is half out. */
const half: Socket[] = [];
const store: { hold: Promise<void> | undefined } = { hold: undefined };
const crashes: unknown[] = [];
const onCrash = (fault: unknown) => void crashes.push(fault);

beforeAll(async () => {
  process.on('uncaughtExceptionMonitor', onCrash);
  backend = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(`${next.head}\r\n\r\n{`, () => half.push(socket)));
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const upstream = `http://127.0.0.1:${(backend.address() as AddressInfo).port}/mcp`;
  product = await startProduct({
    gateway: {
      wrapDriver: (driver) => ({
        ...driver,
        async create(key, ...rest) {
          if (key.startsWith('proxy.')) await store.hold;
          return driver.create(key, ...rest);
        },
      }),
    },
    backends: () => ({
      api: {
        path: '/snippets/mcp',
        upstream,
        scopes: ['snippets.use'],
        credential: { entra: { scopes: [`${SNIPPETS_API_URI}/snippets.use`] } },
        circuit: { failures: 0 },
        tools: { hidden: { anyRole: ['Snippets.Admin'] } },
      },
      older: {
        path: '/older/mcp',
        upstream,
        transport: 'sse',
        scopes: ['snippets.use'],
        credential: { entra: { scopes: [`${SNIPPETS_API_URI}/snippets.use`] } },
        circuit: { failures: 0 },
      },
    }),
  });
  token = (await obtainTokens(product, product.people.reader)).accessToken;
  const resource = `${product.url}/older/mcp`;
  olderToken = (await obtainTokens(product, product.people.reader, { resource })).accessToken;
});
afterAll(async () => {
  process.off('uncaughtExceptionMonitor', onCrash);
  await product.close();
  await new Promise((resolve) => backend.close(resolve));
});
beforeEach(() => {
  store.hold = undefined;
  half.length = 0;
  product.emulator.control.clearFaults();
});

const call = async (method: string) => {
  const answer = await callMcp(product.mcpUrl, token, method).catch(() => undefined);
  await answer?.text().catch(() => undefined);
  return answer?.status;
};

async function initializeOlder(): Promise<void> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const answer = await callMcp(`${product.url}/older/mcp`, olderToken, 'initialize', params);
  await answer.text();
}

async function breakOff(how: 'end' | 'reset'): Promise<void> {
  const open = () => half.filter((socket) => !socket.closed);
  await expect.poll(() => open().length, { timeout: 10_000 }).toBeGreaterThan(0);
  for (const socket of open()) {
    const closed = new Promise((resolve) => socket.once('close', resolve));
    if (how === 'end') socket.destroy();
    else socket.resetAndDestroy();
    await closed;
  }
}

test.each([
  ['end', 'ping'],
  ['reset', 'ping'],
  ['end', 'tools/list'],
  ['reset', 'tools/list'],
] as const)('A22 D15: %s of %s while the store is asked whose session it is', async (how, method) => {
  next.head =
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nMcp-Session-Id: s1';
  const asked = Promise.withResolvers<void>();
  store.hold = asked.promise;
  const answered = call(method);
  await breakOff(how);
  asked.resolve();
  await answered;
  expect(crashes).toEqual([]);
});

test.each([
  ['end', 'Streamable HTTP'],
  ['reset', 'Streamable HTTP'],
  ['end', 'HTTP+SSE'],
  ['reset', 'HTTP+SSE'],
] as const)('A22 D15: %s over %s while Entra is asked for another token', async (how, transport) => {
  const claims = { access_token: { nbf: { essential: true, value: String(Date.now()) } } };
  const encoded = Buffer.from(JSON.stringify(claims)).toString('base64');
  const challenge = `Bearer error="insufficient_claims", claims="${encoded}"`;
  next.head = `HTTP/1.1 401 No\r\nContent-Length: 1000\r\nWWW-Authenticate: ${challenge}`;
  product.emulator.control.setFault({ endpoint: 'token' }, { kind: 'latency', latencyMs: 300 });
  const answered = transport === 'HTTP+SSE' ? initializeOlder() : call('ping');
  await breakOff(how);
  await answered;
  expect(crashes).toEqual([]);
});

test.each(['end', 'reset'] as const)('A22 D15: %s in the middle of a stream', async (how) => {
  next.head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked';
  const answered = call('ping');
  await breakOff(how);
  await answered;
  expect(crashes).toEqual([]);
});
