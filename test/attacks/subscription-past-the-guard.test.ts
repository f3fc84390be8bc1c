/** Stops: a subscription that the SDK answers itself, before the policy of a server of one's own has been asked. */
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import type { Valetkey } from '@valetkey/express';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const prefix = 'io.modelcontextprotocol/';
const version = '2026-07-28';

const createMcp = (vk: Valetkey) =>
  createMcpHandler(() => {
    const mcp = vk.guard(
      new McpServer(
        { name: 'test', version: '1.0.0' },
        { capabilities: { resources: { subscribe: true, listChanged: true } } },
      ),
    );
    mcp.registerResource('plan', 'file:///plan', {}, () => ({ contents: [] }));
    mcp.registerResource('free', 'file:///free', {}, () => ({ contents: [] }));
    return mcp;
  });

const mounts: Readonly<Record<string, (vk: Valetkey) => express.Express>> = {
  'serve()': (vk) => express().use(vk.serve(createMcp(vk))),
  'serve() behind a body parser': (vk) =>
    express()
      .use(express.json())
      .use(vk.serve(createMcp(vk))),
  'requireBearerAuth() behind a body parser': (vk) => {
    const handle = toNodeHandler(createMcp(vk));
    return express()
      .use(express.json(), vk.router)
      .all('/mcp', vk.requireBearerAuth(), (req, res) => void handle(req, res, req.body));
  },
};

for (const [name, mount] of Object.entries(mounts)) {
  let server: ExpressServer;
  let token: string;

  beforeAll(async () => {
    const resources = { 'file:///plan': { anyRole: ['Snippets.Admin'] } };
    server = await startExpressServer({ options: { resources }, build: mount });
    token = (await obtainTokens(server, rita, { scope: 'mcp.use' })).accessToken;
  });
  afterAll(() => server.close());

  const listen = async (uris: readonly string[]) => {
    const params = {
      notifications: { resourceSubscriptions: uris },
      _meta: {
        [`${prefix}protocolVersion`]: version,
        [`${prefix}clientInfo`]: { name: 'test', version: '1' },
        [`${prefix}clientCapabilities`]: {},
      },
    };
    const method = 'subscriptions/listen';
    const headers = { 'mcp-protocol-version': version, 'mcp-method': method };
    const answer = await callMcp(server.mcpUrl, token, method, params, headers);
    const first = await answer.body?.getReader().read();
    return { status: answer.status, text: new TextDecoder().decode(first?.value) };
  };

  test(`A24: ${name}: nobody is told of a resource that they may not read`, async () => {
    for (const uris of [['file:///plan'], ['file:///free', 'file:///plan'], ['file:///free/../plan']]) {
      const refused = await listen(uris);
      expect(refused.status, uris.join()).toBeGreaterThanOrEqual(400);
      expect(refused.text).not.toContain('acknowledged');
    }
    const free = await listen(['file:///free']);
    expect([free.status, free.text]).toEqual([200, expect.stringContaining('acknowledged')]);
  });

  test(`A25: ${name}: what was listened to, or not, is on record`, async () => {
    const outcomes = async () =>
      (await server.readAudit())
        .filter(({ method }) => method === 'subscriptions/listen')
        .map(({ outcome }) => outcome);
    await expect.poll(outcomes).toEqual(['denied', 'denied', 'denied', 'success']);
  });
}
