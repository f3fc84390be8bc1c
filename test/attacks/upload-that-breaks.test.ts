/** Stops: a client that leaves while it uploads, to a server in the fetch style, and by that ends the process. */
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import type { FetchHandler } from '@valetkey/express';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { obtainTokens } from '../support/oauth-client.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
let server: ExpressServer;
let handle: FetchHandler;
let token: string;
const crashes: unknown[] = [];
const onCrash = (fault: unknown) => void crashes.push(fault);

beforeAll(async () => {
  process.on('uncaughtExceptionMonitor', onCrash);
  server = await startExpressServer({
    build(vk) {
      const mcp = createMcpHandler(() => vk.guard(new McpServer({ name: 'test', version: '1.0.0' })));
      handle = vk.fetch(mcp);
      return express().use(vk.serve(mcp));
    },
  });
  token = (await obtainTokens(server, rita, { scope: 'mcp.use' })).accessToken;
});
afterAll(async () => {
  process.off('uncaughtExceptionMonitor', onCrash);
  await server.close();
});

const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const headersOf = (more: Record<string, string> = {}) => ({
  authorization: `Bearer ${token}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2025-11-25',
  ...more,
});

/** A body of which a part comes, and then a fault. */
function breaking(afterTurns: number): ReadableStream {
  return new ReadableStream({
    async pull(controller) {
      controller.enqueue(new TextEncoder().encode(ping.slice(0, 10)));
      for (let turn = 0; turn < afterTurns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      controller.error(new Error('the client has left'));
    },
  });
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test.each([0, 1, 5, 50])(
  'A22 D15 D16: an upload that breaks after %i turns is one request less',
  async (turns) => {
    for (const authorized of [true, false]) {
      const request = new Request(server.mcpUrl, {
        method: 'POST',
        headers: authorized ? headersOf() : {},
        body: breaking(turns),
        duplex: 'half',
      } as RequestInit);
      const answer = await handle(request).catch(() => undefined);
      await answer?.text().catch(() => undefined);
      await settle();
    }
    expect(crashes).toEqual([]);
  },
);

test('A22 D15: nor does a client that gives up before or after the answer', async () => {
  for (const turns of [0, 1, 3, 10, 30]) {
    const gone = new AbortController();
    const request = new Request(server.mcpUrl, {
      method: 'POST',
      headers: headersOf(),
      body: ping,
      signal: gone.signal,
    });
    const answered = handle(request).catch(() => undefined);
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    gone.abort();
    await (await answered)?.text().catch(() => undefined);
    await settle();
  }
  expect(crashes).toEqual([]);
});

test.each<[string, Record<string, string>]>([
  ['a coding beside the body', { 'transfer-encoding': 'chunked' }],
  ['a length that is not so', { 'content-length': '5' }],
  ['a length that is too long', { 'content-length': '500' }],
  ['an upgrade', { upgrade: 'websocket', connection: 'upgrade' }],
  ['an expectation', { expect: '100-continue' }],
  ['a foreign host', { host: 'evil.example' }],
])('A22: %s in the headers of a request is an answer or none, and no crash', async (_what, more) => {
  const gone = new AbortController();
  const headers = new Headers(headersOf());
  const request = new Request(server.mcpUrl, { method: 'POST', headers, body: ping, signal: gone.signal });
  // As an adapter gives it: whatever came over the wire.
  const raw = new Proxy(request, {
    get(target, key) {
      if (key !== 'headers') {
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      }
      const all = new Map([...headers, ...Object.entries(more)]);
      return {
        get: (name: string) => all.get(name) ?? null,
        [Symbol.iterator]: () => all[Symbol.iterator](),
      };
    },
  });
  const answered = handle(raw).then(
    ({ status }) => status,
    () => 0,
  );
  if ('host' in more) expect(await answered).toBe(403);
  // What waits for more than there is has its client leave.
  for (let turn = 0; turn < 20; turn += 1) await settle();
  gone.abort();
  await answered;
  await settle();
  expect(crashes).toEqual([]);
});
