/** A backend in trouble, as a client sees it: what each kind of trouble is answered with, and that it stays that backend's own. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

type Behaviour = (req: IncomingMessage, res: ServerResponse) => void;

const kinds = ['steady', 'hanging', 'narrow', 'gone'] as const;
type Kind = (typeof kinds)[number];

const answer: Behaviour = (req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    const isStream = req.method === 'GET';
    res.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
    if (isStream) res.write(': open\n\n');
    else res.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: {} }));
  });
};
const hang: Behaviour = () => {};

const servers = new Map<Kind, Server>();
const behaviour = new Map<Kind, Behaviour>();
const tokens = new Map<Kind, string>();
let product: Product;

async function listen(kind: Kind): Promise<string> {
  const server = createServer((req, res) => behaviour.get(kind)?.(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.set(kind, server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

function stop(server: Server | undefined): void {
  server?.close();
  server?.closeAllConnections();
}

beforeAll(async () => {
  const urls = Object.fromEntries(await Promise.all(kinds.map(async (kind) => [kind, await listen(kind)])));
  const common = (kind: Kind) => ({ path: `/${kind}/mcp`, upstream: urls[kind] as string });
  product = await startProduct({
    replicas: 2,
    backends: () => ({
      steady: common('steady'),
      hanging: {
        ...common('hanging'),
        timeouts: { connectMs: 1000, firstByteMs: 150 },
        circuit: { failures: 2, openSeconds: 30 },
      },
      narrow: { ...common('narrow'), maxConcurrent: 1, maxStreams: 1 },
      gone: {
        ...common('gone'),
        circuit: { failures: 3, openSeconds: 30 },
        health: { intervalSeconds: 3600 },
      },
    }),
  });
  for (const kind of kinds) {
    const wanted = { resource: `${product.url}/${kind}/mcp`, scope: `${kind}.use` };
    tokens.set(kind, (await obtainTokens(product, product.people.reader, wanted)).accessToken);
  }
});
beforeEach(() => {
  product.time.aheadMs = 0;
  product.replicas.only = 0;
  for (const kind of kinds) behaviour.set(kind, answer);
});
afterAll(async () => {
  await product.close();
  for (const server of servers.values()) stop(server);
});

const call = (kind: Kind) =>
  callMcp(`${product.url}/${kind}/mcp`, tokens.get(kind), 'tools/call', { name: 'work', arguments: {} });

async function outcome(kind: Kind) {
  const response = await call(kind);
  const { id, error } = (await response.json()) as { id: unknown; error?: { code: number; message: string } };
  return { status: response.status, id, retryAfter: response.headers.get('retry-after'), error };
}

const ready = async () => (await fetch(`${product.url}/readyz`)).status;

test('a backend that hangs: 504, then 503 at once with when to come back; the others and /readyz know nothing of it', async () => {
  behaviour.set('hanging', hang);
  for (let count = 0; count < 2; count += 1) {
    expect(await outcome('hanging')).toMatchObject({ status: 504, id: 1, error: { code: 504 } });
  }
  const startedMs = performance.now();
  const refused = await outcome('hanging');
  expect(performance.now() - startedMs).toBeLessThan(140);
  expect(refused).toMatchObject({ status: 503, id: 1, retryAfter: '30', error: { code: 503 } });
  expect(refused.error?.message).toMatch(/not available/u);
  expect(await outcome('steady')).toMatchObject({ status: 200, error: undefined });
  expect(await ready()).toBe(200);

  product.replicas.only = 1;
  expect(await outcome('hanging'), 'each replica learns for itself').toMatchObject({ status: 504 });

  product.replicas.only = 0;
  behaviour.set('hanging', answer);
  product.time.aheadMs = 31_000;
  expect(await outcome('hanging'), 'one tries').toMatchObject({ status: 200 });
  product.time.aheadMs = 0;
  expect(await outcome('hanging')).toMatchObject({ status: 200 });
  const reasons = (await product.readAudit()).map(
    ({ event, reason }) => `${String(event)} ${String(reason)}`,
  );
  expect(reasons).toContain('mcp.call timeout');
  expect(reasons).toContain('mcp.call circuit_open');
});

test('a tool that fails, however often, is the tool’s own matter', async () => {
  behaviour.set(
    'gone',
    (_req, res) => void res.writeHead(500, { 'content-type': 'application/json' }).end('{}'),
  );
  for (let count = 0; count < 8; count += 1) expect((await call('gone')).status).toBe(500);
});

test('a backend with room for one: the second call hears 503 and when to come back, a stream takes no room of it', async () => {
  const held: ServerResponse[] = [];
  behaviour.set('narrow', (req, res) => (req.method === 'GET' ? answer(req, res) : void held.push(res)));
  const first = call('narrow');
  await expect.poll(() => held.length).toBe(1);
  expect(await outcome('narrow')).toMatchObject({
    status: 503,
    id: 1,
    retryAfter: '1',
    error: { code: 503 },
  });
  const controller = new AbortController();
  const open = () =>
    fetch(`${product.url}/narrow/mcp`, {
      headers: { authorization: `Bearer ${tokens.get('narrow')}`, accept: 'text/event-stream' },
      signal: controller.signal,
    });
  expect((await open()).status).toBe(200);
  expect((await open()).status, 'streams have a bound of their own').toBe(503);
  held[0]?.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  expect((await first).status).toBe(200);
  behaviour.set('narrow', answer);
  expect(await outcome('narrow'), 'there is room again').toMatchObject({ status: 200 });
  controller.abort();
});

test('a backend that is not there: 502, then 503; the log says so once, and names no address', async () => {
  stop(servers.get('gone'));
  const statuses: number[] = [];
  for (let count = 0; count < 5; count += 1) statuses.push((await call('gone')).status);
  expect(statuses).toEqual([502, 502, 502, 503, 503]);
  expect(await ready()).toBe(200);
  const opened = product.logLines.filter((line) => line.includes('circuit open') && line.includes('"gone"'));
  expect(opened).toHaveLength(1);
  expect(opened[0]).not.toMatch(/127\.0\.0\.1|eyJ/u);
});
