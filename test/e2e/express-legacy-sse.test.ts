/** The HTTP+SSE pair of 2024-11-05 beside the endpoint: each stream belongs to one person, and to nobody else. */
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import type { Valetkey } from '@valetkey/express';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { openSseClient } from '../support/sse-client.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const walt = { username: 'walt@contoso.example', password: 'Walt-Passw0rd' };
const initialize = {
  protocolVersion: '2024-11-05',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
};

let server: ExpressServer;
let tokens: Record<'rita' | 'walt', string>;

function factoryOf(vk: Valetkey) {
  return () => {
    const mcp = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }));
    mcp.registerTool('who_am_i', { description: 'Tells who is calling.' }, (context) => ({
      content: [{ type: 'text', text: vk.principal(context).username ?? '' }],
    }));
    mcp.registerTool(
      'save',
      { description: 'For writers.', requires: { anyRole: ['Snippets.Writer'] } },
      () => ({
        content: [],
      }),
    );
    return mcp;
  };
}

beforeAll(async () => {
  server = await startExpressServer({
    options: { legacySse: true },
    build(vk) {
      const factory = factoryOf(vk);
      return express().use(vk.serve(createMcpHandler(factory), factory));
    },
  });
  const resource = `${server.url}/sse`;
  const of = async (person: typeof rita) =>
    (await obtainTokens(server, person, { scope: 'mcp.use', resource })).accessToken;
  tokens = { rita: await of(rita), walt: await of(walt) };
});
afterAll(() => server.close());

const open = (who: 'rita' | 'walt') => openSseClient(`${server.url}/sse`, tokens[who]);
const nameOf = (message: Record<string, unknown>) =>
  (message['result'] as { content: { text: string }[] }).content[0]?.text;
const whoAmI = { name: 'who_am_i', arguments: {} };

test('the official client of SDK 1.x: list and call', async () => {
  const requestInit = { headers: { authorization: `Bearer ${tokens.rita}` } };
  const transport = new SSEClientTransport(new URL(`${server.url}/sse`), { requestInit });
  const client = new ClientV1({ name: 'test', version: '1' });
  await client.connect(transport);
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['who_am_i']);
  expect(await client.callTool(whoAmI)).toMatchObject({ content: [{ text: rita.username }] });
  await expect(client.callTool({ name: 'save', arguments: {} })).rejects.toThrow('Snippets.Writer');
  await client.close();
});

test('D14 A21: two people at once each read their own answers on their own stream', async () => {
  const [a, b] = await Promise.all([open('rita'), open('walt')]);
  await Promise.all([a.request('initialize', initialize), b.request('initialize', initialize)]);
  const answers = await Promise.all([
    a.request('tools/call', whoAmI),
    b.request('tools/call', whoAmI),
    a.request('tools/call', whoAmI),
  ]);
  expect(answers.map(nameOf)).toEqual([rita.username, walt.username, rita.username]);
  expect(a.messages).toHaveLength(3);
  expect(b.messages).toHaveLength(2);
  a.close();
  b.close();
});

test("D14: nobody speaks in somebody else's stream, or learns that it is there", async () => {
  const a = await open('rita');
  await a.request('initialize', initialize);
  const body = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: whoAmI });
  const intruder = await a.post(body, tokens.walt);
  const unknown = await fetch(a.endpoint.replace(/sessionId=.*/, 'sessionId=none'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${tokens.walt}` },
    body,
  });
  expect(intruder).toEqual({ status: 404, text: await unknown.text() });
  expect(unknown.status).toBe(404);
  expect(nameOf(await a.request('tools/call', whoAmI)), 'the stream goes on').toBe(rita.username);
  expect(a.messages.map(({ id }) => id)).not.toContain(7);
  a.close();
});

test('D15 A22: a stream that closes ends nothing but itself', async () => {
  const [a, b] = await Promise.all([open('rita'), open('walt')]);
  await b.request('initialize', initialize);
  a.close();
  await a.ended;
  expect(nameOf(await b.request('tools/call', whoAmI))).toBe(walt.username);
  await expect.poll(async () => (await a.post('{}')).status).toBe(404);
  b.close();
});

test('D16 A22: malformed JSON and posts before any stream are refused, and the process lives', async () => {
  const early = await fetch(`${server.url}/message`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${tokens.rita}` },
    body: '{}',
  });
  expect(early.status).toBe(404);
  const a = await open('rita');
  for (const body of ['{', '', '[]', 'null', '{"jsonrpc":"1.0"}'])
    expect((await a.post(body)).status).toBe(400);
  expect((await a.post('x'.repeat(5 * 1024 * 1024))).status).toBe(413);
  expect(await a.request('initialize', initialize)).toHaveProperty('result');
  a.close();
});

test('A12 A13 D17 CVE-2025-69196: both addresses want a token, and one that is for them', async () => {
  const other = (await obtainTokens(server, rita, { scope: 'mcp.use' })).accessToken;
  for (const path of ['/sse', '/message?sessionId=a']) {
    for (const token of [undefined, 'junk', other]) {
      const answer = await fetch(server.url + path, {
        method: path === '/sse' ? 'GET' : 'POST',
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      });
      expect(answer.status).toBe(401);
      const metadata = `${server.url}/.well-known/oauth-protected-resource/sse`;
      expect(answer.headers.get('www-authenticate')).toContain(`resource_metadata="${metadata}"`);
    }
  }
});

test('D32 CVE-2025-66414: a page of another site reaches neither of them', async () => {
  for (const path of ['/sse', '/message?sessionId=a']) {
    const headers = { authorization: `Bearer ${tokens.rita}`, origin: 'http://evil.example' };
    expect((await fetch(server.url + path, { headers })).status).toBe(403);
  }
});

test('A24: a refusal is the status of the post, and a message for whoever reads only the stream', async () => {
  const a = await open('rita');
  await a.request('initialize', initialize);
  const message = { jsonrpc: '2.0', id: 9, method: 'tools/call', params: { name: 'save', arguments: {} } };
  const refused = await a.post(JSON.stringify(message));
  expect(refused.status).toBe(403);
  expect(refused.text).toContain('Snippets.Writer');
  await expect.poll(() => a.messages.find(({ id }) => id === 9)).toHaveProperty('error');
  a.close();
});

test('A56: an open stream is cut when its session ends', async () => {
  const resource = `${server.url}/sse`;
  const { accessToken, refreshToken, clientId } = await obtainTokens(server, rita, {
    scope: 'mcp.use',
    resource,
  });
  const stream = await openSseClient(resource, accessToken);
  await fetch(`${server.url}/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ token: refreshToken, client_id: clientId }),
  });
  await stream.ended;
  await expect(openSseClient(resource, accessToken)).rejects.toThrow('401');
});
