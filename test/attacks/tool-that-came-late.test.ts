/** Stops: a tool that is registered while clients are connected, and whose rule would hold for none of them. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { openSession, sessionful } from '../support/sessionful-server.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
let server: ExpressServer;
/** Registers the tool of administrators at the one server that lasts. */
const late = { come: () => {} };

beforeAll(async () => {
  server = await startExpressServer({
    build(vk) {
      const createServer = () => {
        const mcp = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }), {});
        mcp.registerTool('first', { description: 'Of everybody.' }, () => ({ content: [] }));
        late.come = () => {
          const guarded = { description: 'Late.', requires: { anyRole: ['Snippets.Admin'] } };
          mcp.registerTool('late', guarded, () => ({ content: [{ type: 'text', text: 'done' }] }));
        };
        return mcp;
      };
      return express().use(vk.serve(sessionful(createServer)));
    },
  });
});
afterAll(() => server.close());

test('A24: the rule of a late tool holds for a session that was there before it', async () => {
  const { accessToken } = await obtainTokens(server, rita, { scope: 'mcp.use' });
  const session = await openSession(server.mcpUrl, accessToken);
  const ask = async (id: number, method: string, params: object) =>
    (await session.post({ jsonrpc: '2.0', id, method, params })).text();
  expect(await ask(1, 'tools/list', {})).toContain('"first"');
  late.come();
  expect(await ask(2, 'tools/list', {})).not.toContain('"late"');
  const called = await ask(3, 'tools/call', { name: 'late', arguments: {} });
  expect(called).toContain('missing_role');
  expect(called).not.toContain('done');
});
