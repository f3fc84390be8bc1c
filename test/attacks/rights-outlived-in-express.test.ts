/** Stops: a request that is sent slowly to a server of one's own, and runs though its session has ended meanwhile. */
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { McpHandler, Valetkey } from '@valetkey/express';
import express from 'express';
import { afterEach, expect, test } from 'vitest';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { callMcp, obtainTokens, postForm, type Tokens } from '../support/oauth-client.ts';
import { openSession, sessionful } from '../support/sessionful-server.ts';
import { beginSlowCall } from '../support/slow-request.ts';
import { openSseClient } from '../support/sse-client.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const call = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'wipe', arguments: {} } };
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function start(build: (vk: Valetkey, wiped: () => void) => express.Express, legacySse = false) {
  const state = { wiped: 0 };
  const server = await startExpressServer({
    options: legacySse ? { legacySse: true } : {},
    build: (vk) =>
      build(vk, () => {
        state.wiped += 1;
      }),
  });
  closers.push(() => server.close());
  return { server, state };
}

async function revoke(server: ExpressServer, { clientId, refreshToken, accessToken }: Tokens): Promise<void> {
  await postForm(`${server.url}/revoke`, { token: refreshToken, client_id: clientId });
  expect((await callMcp(server.mcpUrl, accessToken, 'ping')).status).toBe(401);
}

const modern = (vk: Valetkey, wiped: () => void): McpHandler =>
  createMcpHandler(() => {
    const mcp = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }));
    mcp.registerTool('wipe', { description: 'Once.' }, () => {
      wiped();
      return { content: [] };
    });
    return mcp;
  });

const older = (vk: Valetkey, wiped: () => void): McpHandler =>
  sessionful(() => {
    const mcp = vk.guard(new McpServerV1({ name: 'test', version: '1.0.0' }), {});
    mcp.registerTool('wipe', { description: 'Once.' }, () => {
      wiped();
      return { content: [] };
    });
    return mcp;
  });

test.each([
  ['SDK 2.x', modern, false],
  ['SDK 1.x', older, true],
])('A56: with %s the call is not made', async (_sdk, handlerOf, hasSessions) => {
  const { server, state } = await start((vk, wiped) => express().use(vk.serve(handlerOf(vk, wiped))));
  const tokens = await obtainTokens(server, rita, { scope: 'mcp.use' });
  const session = hasSessions ? await openSession(server.mcpUrl, tokens.accessToken) : undefined;
  const headers = session === undefined ? undefined : { 'mcp-session-id': session.id };
  const slow = await beginSlowCall(server.mcpUrl, tokens.accessToken, call, headers);
  await revoke(server, tokens);
  expect(await slow.finish()).toBe(401);
  expect(state.wiped).toBe(0);
  slow.close();
});

test('A56: nor by the addresses of HTTP+SSE', async () => {
  const { server, state } = await start((vk, wiped) => {
    const factory = () => {
      const mcp = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }));
      mcp.registerTool('wipe', { description: 'Once.' }, () => {
        wiped();
        return { content: [] };
      });
      return mcp;
    };
    return express().use(vk.serve(createMcpHandler(factory), factory));
  }, true);
  const resource = `${server.url}/sse`;
  const tokens = await obtainTokens(server, rita, { scope: 'mcp.use', resource });
  const stream = await openSseClient(resource, tokens.accessToken);
  const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  await stream.request('initialize', params);
  const slow = await beginSlowCall(stream.endpoint, tokens.accessToken, call);
  await postForm(`${server.url}/revoke`, { token: tokens.refreshToken, client_id: tokens.clientId });
  await stream.ended;
  expect(await slow.finish()).toBeGreaterThanOrEqual(401);
  expect(state.wiped).toBe(0);
  slow.close();
});
