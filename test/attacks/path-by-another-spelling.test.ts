/** Stops: an address that is the MCP endpoint for the server behind the guard, and another one for the guard. */
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { toNodeHandler } from '@modelcontextprotocol/node';
import type { Valetkey } from '@valetkey/express';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { send } from '../support/raw-http.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const state = { ran: 0 };

const createMcp = (vk: Valetkey) =>
  createMcpHandler(() => {
    const mcp = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }));
    mcp.registerTool('wipe', { description: 'Once.' }, () => {
      state.ran += 1;
      return { content: [] };
    });
    return mcp;
  });

const mounts: Readonly<Record<string, (vk: Valetkey) => express.Express>> = {
  'serve()': (vk) => express().use(vk.serve(createMcp(vk))),
  'serve() behind body parsers': (vk) =>
    express()
      .use(express.json(), express.text(), express.urlencoded({ extended: true }))
      .use(vk.serve(createMcp(vk))),
  'requireBearerAuth() at a route': (vk) => {
    const handle = toNodeHandler(createMcp(vk));
    return express()
      .use(vk.router)
      .all('/mcp', vk.requireBearerAuth(), (req, res) => void handle(req, res, req.body));
  },
  'requireBearerAuth() at a router below': (vk) => {
    const handle = toNodeHandler(createMcp(vk));
    const below = express.Router().use(vk.requireBearerAuth());
    below.use('/', (req, res) => void handle(req, res, req.body));
    return express().use(vk.router).use('/mcp', below);
  },
  'requireBearerAuth() before everything': (vk) => {
    const handle = toNodeHandler(createMcp(vk));
    return express()
      .use(vk.router)
      .use(vk.requireBearerAuth())
      .use('/mcp', (req, res) => void handle(req, res, req.body));
  },
};

const paths = [
  '/mcp',
  '/mcp/',
  '//mcp',
  '/mcp//',
  '/MCP',
  '/Mcp/',
  '/%6dcp',
  '/mcp%2f',
  '/mcp%2F..%2Fmcp',
  '/mcp/.',
  '/mcp/..',
  '/x/../mcp',
  '/./mcp',
  '/mcp;a=1',
  '/mcp?access_token=x',
  '/mcp#x',
  '/mcp\\',
  '\\mcp',
  '/mcp%00',
  '/mcp%',
  'http://localhost/mcp',
  'http://user@localhost/mcp',
  '*',
];

const call = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'wipe', arguments: {} },
});
const headers = [
  'Content-Type',
  'application/json',
  'Accept',
  'application/json, text/event-stream',
  'MCP-Protocol-Version',
  '2025-11-25',
];

for (const [name, mount] of Object.entries(mounts)) {
  let server: ExpressServer;
  let token: string;
  beforeAll(async () => {
    server = await startExpressServer({ build: mount });
    token = (await obtainTokens(server, rita, { scope: 'mcp.use' })).accessToken;
  });
  afterAll(() => server.close());

  test.each(paths)(`A12 D32: ${name}: %j without a token runs nothing`, async (path) => {
    state.ran = 0;
    for (const method of ['POST', 'PUT', 'PATCH', 'GET', 'DELETE', 'TRACE']) {
      const answer = await send(server.url, { method, path, headers, body: call }).catch(() => undefined);
      expect(answer?.status ?? 400, `${method} ${path}`).toBeGreaterThanOrEqual(400);
      expect(answer?.status ?? 400, `${method} ${path}`).toBeLessThan(500);
    }
    // Who the caller is stands in no header, no query and no body.
    const forged = ['X-Auth', '{"auth":{}}', 'X-Forwarded-User', 'rita', 'Cookie', `access_token=${token}`];
    await send(server.url, { method: 'POST', path, headers: [...headers, ...forged], body: call }).catch(
      () => undefined,
    );
    expect(state.ran).toBe(0);
  });

  test(`A12: ${name}: the endpoint itself answers who has a token`, async () => {
    state.ran = 0;
    const answer = await send(server.url, {
      method: 'POST',
      path: '/mcp',
      headers: [...headers, 'Authorization', `Bearer ${token}`],
      body: call,
    });
    expect([answer.status, state.ran]).toEqual([200, 1]);
  });

  test(`D32 CVE-2025-66414: ${name}: a page of another site gets nowhere, with a token or without`, async () => {
    state.ran = 0;
    const bearer = ['Authorization', `Bearer ${token}`];
    for (const more of [
      ['Origin', 'https://evil.example'],
      ['Origin', 'null'],
      ['Host', 'evil.example'],
      ['Host', `${new URL(server.url).host}.evil.example`],
      ['Host', 'localhost', 'Host', 'evil.example'],
    ]) {
      const answer = await send(server.url, {
        method: 'POST',
        path: '/mcp',
        headers: [...headers, ...bearer, ...more],
        body: call,
      }).catch(() => undefined);
      expect(answer?.status ?? 400, more.join()).toBeGreaterThanOrEqual(400);
      if (more[0] === 'Origin') expect(answer?.headers['access-control-allow-origin']).toBeUndefined();
    }
    expect(state.ran).toBe(0);
  });
}
