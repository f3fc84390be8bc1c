/** Stops: somebody who knows the session id of another person, in a server that keeps sessions and guards itself. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { type McpSession, openSession, sessionful } from '../support/sessionful-server.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const walt = { username: 'walt@contoso.example', password: 'Walt-Passw0rd' };

const mounts = {
  'serve()': (vk, handler) => express().use(vk.serve(handler)),
  'requireBearerAuth()': (vk, handler) =>
    express()
      .use(vk.router)
      .all('/mcp', vk.requireBearerAuth(), (req, res) => void handler(req, res, req.body)),
} satisfies Record<
  string,
  (vk: ExpressServer['vk'], handler: ReturnType<typeof sessionful>) => express.Express
>;

for (const [name, mount] of Object.entries(mounts)) {
  let server: ExpressServer;
  let tokens: Record<'rita' | 'walt', string>;
  let session: McpSession;
  const heard: string[] = [];

  beforeAll(async () => {
    server = await startExpressServer({
      build(vk) {
        const createServer = () => {
          const mcp = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }), {});
          // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a server of the SDK is no EventTarget
          mcp.server.onerror = (fault) => void heard.push(fault.message);
          mcp.registerTool('note', { description: 'Tells its stream.' }, async () => {
            await mcp.server.sendLoggingMessage({ level: 'info', data: 'of Rita alone' });
            return { content: [] };
          });
          mcp.server.registerCapabilities({ logging: {} });
          return mcp;
        };
        return mount(vk, sessionful(createServer));
      },
    });
    const of = async (person: typeof rita) =>
      (await obtainTokens(server, person, { scope: 'mcp.use' })).accessToken;
    tokens = { rita: await of(rita), walt: await of(walt) };
    session = await openSession(server.mcpUrl, tokens.rita);
  });
  afterAll(() => server.close());

  test(`D61 D14: ${name}: it opens no event stream, resumes none and ends nothing`, async () => {
    for (const headers of [{}, { 'last-event-id': '_GET_stream_1' }]) {
      const stream = await session.ask('GET', tokens.walt, headers);
      expect(stream.status).toBe(404);
      await stream.body?.cancel();
    }
    expect((await session.ask('DELETE', tokens.walt)).status).toBe(404);
    const own = await session.ask('GET');
    expect(own.status).toBe(200);
    await own.body?.cancel();
  });

  test(`D61 D14: ${name}: it says nothing in it, neither a request nor an answer nor a notification`, async () => {
    const messages = [
      { jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'note', arguments: {} } },
      { jsonrpc: '2.0', id: 1, result: { roots: [] } },
      { jsonrpc: '2.0', id: 1, error: { code: 1, message: 'no' } },
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5 } },
    ];
    for (const message of messages)
      expect((await session.post(message, tokens.walt)).status, JSON.stringify(message)).toBe(404);
    // The protocol of the SDK complains of answers that it waits for nothing of: none has reached it.
    expect(heard).toEqual([]);
  });

  test(`D61: ${name}: its owner goes on, and the attempts are on record`, async () => {
    const answer = await session.post({ jsonrpc: '2.0', id: 9, method: 'ping' });
    expect(answer.status).toBe(200);
    await answer.text();
    const attempts = async () =>
      (await server.readAudit()).filter(({ reason }) => reason === 'unknown_session').length;
    await expect.poll(attempts).toBe(7);
    expect((await session.ask('DELETE')).status).toBe(200);
  });
}
