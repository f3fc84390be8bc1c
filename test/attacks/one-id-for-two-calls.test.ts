/** Stops: a second request under the id of one that has no answer yet, which would take its place in the records and the filter. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { openSession, sessionful } from '../support/sessionful-server.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
let server: ExpressServer;
let token: string;
/** What the slow tool waits for. */
const tool = { release: Promise.withResolvers<void>(), begun: Promise.withResolvers<void>() };

beforeAll(async () => {
  server = await startExpressServer({
    build(vk) {
      const createServer = () => {
        const rules = { hidden: { anyRole: ['Snippets.Admin'] } };
        const mcp = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }), rules);
        mcp.registerTool('slow', { description: 'Takes its time.' }, async () => {
          tool.begun.resolve();
          await tool.release.promise;
          return { content: [{ type: 'text', text: 'done' }] };
        });
        mcp.registerTool('hidden', { description: 'Of administrators.' }, () => ({ content: [] }));
        return mcp;
      };
      return express().use(vk.serve(sessionful(createServer)));
    },
  });
  token = (await obtainTokens(server, rita, { scope: 'mcp.use' })).accessToken;
});
afterAll(() => server.close());

const message = (id: unknown, method: string, params: Record<string, unknown> = {}) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});

async function recordsOf(method: string): Promise<unknown[]> {
  const records = await server.readAudit();
  return records
    .filter((record) => record['event'] === 'mcp.call' && record['method'] === method)
    .map(({ outcome, reason, target }) => [outcome, target ?? reason]);
}

test('A25 A24: a call is not made unseen behind another one with its id', async () => {
  const session = await openSession(server.mcpUrl, token);
  const gone = new AbortController();
  const slow = session.post(message(7, 'tools/call', { name: 'slow', arguments: {} }), token, gone.signal);
  await tool.begun.promise;
  const second = await session.post(message(7, 'ping'));
  expect(second.status).toBe(400);
  expect(await second.json()).toMatchObject({ id: 7, error: { code: -32600 } });
  tool.release.resolve();
  await expect.poll(() => recordsOf('tools/call')).toEqual([['success', 'slow']]);
  expect(await recordsOf('ping')).toEqual([['error', 'id_in_use']]);
  gone.abort();
  await slow.catch(() => undefined);
});

test('A24: a list does not pass whole behind another request with its id', async () => {
  const session = await openSession(server.mcpUrl, token);
  const answer = await session.post([message(1, 'tools/list'), message(1, 'ping')]);
  const text = await answer.text();
  expect(text).not.toContain('hidden');
  const names = (await (await session.post(message(2, 'tools/list'))).text()).match(/"name":"\w+"/g);
  expect(names).toEqual(['"name":"slow"']);
});

test('an id may come again once its answer is there, and 1 is not "1"', async () => {
  const session = await openSession(server.mcpUrl, token);
  for (const id of [1, '1', 1]) {
    const answer = await session.post(message(id, 'ping'));
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain(`"id":${JSON.stringify(id)}`);
  }
});
