/** An event stream to a client, whatever stands behind it: kept open while it is silent, and cut with the right to it. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens, type Tokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
/** Closes what the test's own backends hold. */
const closers: (() => Promise<void>)[] = [];

/** Holds a stream open after what it says first. */
async function startHolder(
  first: string,
  onPost: (body: string, res: ServerResponse) => void,
): Promise<string> {
  const server = createServer((req, res) => {
    if (req.method !== 'GET') {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => onPost(Buffer.concat(chunks).toString(), res));
      return;
    }
    res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    if (first !== '') res.write(first);
    held.push(res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const held: ServerResponse[] = [];

const greeting = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'x', version: '1' } };
const answerTo = (body: string) => {
  const { id } = JSON.parse(body) as { id: unknown };
  return JSON.stringify({ jsonrpc: '2.0', id, result: greeting });
};

beforeAll(async () => {
  const streamable = await startHolder('', (body, res) => {
    res
      .writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': crypto.randomUUID() })
      .end(answerTo(body));
  });
  const older = await startHolder('event: endpoint\ndata: /message\n\n', (body, res) => {
    res.writeHead(202).end();
    held.at(-1)?.write(`data: ${answerTo(body)}\n\n`);
  });
  const common = { scopes: { use: 'Use it' } };
  const command = [process.execPath, 'packages/gateway/src/proxy/stdio/child-fixture.suite.ts'];
  const local = { ...common, command, cwd: process.cwd() };
  product = await startProduct({
    config: { streams: { keepAliveSeconds: 1, cutAtExpiry: true } },
    backends: () => ({
      streamable: {
        ...common,
        path: '/streamable',
        upstream: `${streamable}/mcp`,
        legacySse: { sse: '/streamable/sse', message: '/streamable/message' },
      },
      older: { ...common, path: '/older', upstream: `${older}/sse`, transport: 'sse' },
      stdio: { ...local, path: '/stdio' },
      shared: { ...local, path: '/shared', mode: 'shared' },
    }),
  });
});
afterAll(async () => {
  await product.close();
  for (const close of closers) await close();
});

/** The stand-alone stream of a session; at the older address, the stream that is the session. */
async function openStream(path: string, { accessToken }: Tokens) {
  const isOlderAddress = path.endsWith('/sse');
  const headers: Record<string, string> = {
    authorization: `Bearer ${accessToken}`,
    accept: 'text/event-stream',
  };
  if (!isOlderAddress) {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 't', version: '1' },
    };
    const answer = await callMcp(product.url + path, accessToken, 'initialize', params);
    expect(answer.status, await answer.text()).toBe(200);
    headers['mcp-session-id'] = answer.headers.get('mcp-session-id') ?? '';
  }
  const answer = await fetch(product.url + path, { headers });
  const received = { text: '', hasEnded: false };
  const drain = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) received.text += decoder.decode(chunk, { stream: true });
  };
  const ended = drain()
    .catch(() => undefined)
    .finally(() => {
      received.hasEnded = true;
    });
  return { answer, received, ended };
}

const kinds = ['/streamable', '/older', '/stdio', '/shared', '/streamable/sse'];

test.each(kinds)(
  'A54 A56: %s: headers at once, comments while it is silent, cut when the session is revoked',
  async (path) => {
    const resource = `${product.url}/${path.split('/')[1]}`;
    const tokens = await obtainTokens(product, product.people.reader, { resource, scope: 'use' });
    const { answer, received, ended } = await openStream(path, tokens);
    expect([answer.status, answer.headers.get('x-accel-buffering')]).toEqual([200, 'no']);
    await expect.poll(() => received.text, { timeout: 5000 }).toContain(': keep-alive\n\n');
    const before = received.text.length;
    await expect.poll(() => received.text.length, { timeout: 5000 }).toBeGreaterThan(before);
    expect(received.hasEnded).toBe(false);
    await fetch(`${product.url}/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: tokens.clientId, token: tokens.accessToken }),
    });
    await ended;
    const records = async () =>
      (await product.readAudit()).map(({ event, backend, reason }) =>
        [event, backend, reason].map(String).join(' '),
      );
    await expect.poll(records).toContain(`access.denied ${path.split('/')[1]} session_ended`);
  },
);

test.each(kinds)('A50 A54: %s: by setting, cut when its token expires', async (path) => {
  const resource = `${product.url}/${path.split('/')[1]}`;
  const tokens = await obtainTokens(product, product.people.writer, { resource, scope: 'use' });
  const { ended } = await openStream(path, tokens);
  product.time.aheadMs = (product.config.lifetimes.accessTokenSeconds + 1) * 1000;
  await ended;
  product.time.aheadMs = 0;
});
