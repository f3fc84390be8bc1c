/** A server of one's own: sign-in, guard, per-tool rules, the tokens of its callers. */
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { getProfile } from '@valetkey/core/graph/profile';
import type { Valetkey } from '@valetkey/express';
import express from 'express';
import { afterEach, expect, test } from 'vitest';
import * as z from 'zod';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const servers: ExpressServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function createMcp(vk: Valetkey) {
  return createMcpHandler(() => {
    const server = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }));
    server.registerTool('who_am_i', { description: 'Tells who is calling.' }, (context) => ({
      content: [{ type: 'text', text: vk.principal(context).username ?? '' }],
    }));
    server.registerTool(
      'save',
      {
        description: 'For writers.',
        inputSchema: z.object({ text: z.string() }),
        requires: { anyRole: ['Snippets.Writer'] },
      },
      ({ text }) => ({ content: [{ type: 'text', text }] }),
    );
    server.registerTool('getUserDetails', { description: 'Profile.' }, async (context) => {
      const profile = await vk.callGraph(context, ['User.Read'], (caller, graph) =>
        getProfile(graph, caller),
      );
      return { content: [{ type: 'text', text: JSON.stringify(profile) }] };
    });
    return server;
  });
}

async function start(
  options: Partial<Parameters<typeof startExpressServer>[0]> = {},
): Promise<ExpressServer> {
  const server = await startExpressServer({
    build: (vk) => express().use(vk.serve(createMcp(vk))),
    ...options,
  });
  servers.push(server);
  return server;
}

test('A11: from the first 401 to a tool call', async () => {
  const server = await start();
  const first = await callMcp(server.mcpUrl, undefined, 'tools/list');
  expect(first.status).toBe(401);
  expect(first.headers.get('www-authenticate')).toContain(
    `resource_metadata="${server.url}/.well-known/oauth-protected-resource/mcp"`,
  );
  const { accessToken } = await obtainTokens(server, rita, { scope: 'mcp.use' });
  const listed = await readMessage(await callMcp(server.mcpUrl, accessToken, 'tools/list'));
  const { tools } = listed['result'] as { tools: { name: string }[] };
  expect(tools.map(({ name }) => name)).toEqual(['who_am_i', 'getUserDetails']);
  const who = await callMcp(server.mcpUrl, accessToken, 'tools/call', { name: 'who_am_i', arguments: {} });
  expect(await readMessage(who)).toMatchObject({ result: { content: [{ text: rita.username }] } });
  const save = await callMcp(server.mcpUrl, accessToken, 'tools/call', {
    name: 'save',
    arguments: { text: 'a' },
  });
  expect(save.status).toBe(403);
  expect(await readMessage(save)).toMatchObject({ error: { code: 403, data: { reason: 'missing_role' } } });
  const profile = await callMcp(server.mcpUrl, accessToken, 'tools/call', {
    name: 'getUserDetails',
    arguments: {},
  });
  const { result } = (await readMessage(profile)) as { result: { content: { text: string }[] } };
  expect(JSON.parse(result.content[0]?.text ?? '')).toMatchObject({ mail: rita.username });
  const readCalls = async () => {
    const records = await server.readAudit();
    return records
      .filter(({ method }) => method === 'tools/call')
      .map(({ target, outcome }) => [target, outcome]);
  };
  await expect.poll(readCalls).toEqual([
    ['who_am_i', 'success'],
    ['save', 'denied'],
    ['getUserDetails', 'success'],
  ]);
});
