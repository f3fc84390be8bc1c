import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Client,
  StreamableHTTPClientTransport,
  type VersionNegotiationMode,
} from '@modelcontextprotocol/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { audience, type GatewayStandIn, issuer, startGatewayStandIn } from './gateway-stand-in.suite.ts';
import { startSnippetsServer } from './server.ts';

let gateway: GatewayStandIn;
let directory: string;
let server: Awaited<ReturnType<typeof startSnippetsServer>>;

beforeAll(async () => {
  gateway = await startGatewayStandIn();
  directory = await mkdtemp(join(tmpdir(), 'snippets-'));
  server = await startSnippetsServer({
    port: 0,
    directory,
    identity: { issuer, audience, jwksUrl: gateway.jwksUrl },
    functionKey: 'key-1',
  });
});

afterAll(async () => {
  await server.close();
  await gateway.close();
  await rm(directory, { recursive: true, force: true });
});

const eras: [string, VersionNegotiationMode][] = [
  ['legacy', 'legacy'],
  ['modern', { pin: '2026-07-28' }],
];

async function connect(person: string, mode: VersionNegotiationMode): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  const headers = { 'x-valetkey-identity': await gateway.identityOf(person), 'x-functions-key': 'key-1' };
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers } }));
  return client;
}

test.each(eras)('A59: the three tools are listed and work (%s)', async (era, mode) => {
  const client = await connect(`t.anna-${era}`, mode);
  const { tools } = await client.listTools();
  expect(tools.map((tool) => tool.name).toSorted()).toEqual(['get_snippet', 'hello_mcp', 'save_snippet']);
  expect(await client.callTool({ name: 'hello_mcp' })).toMatchObject({
    content: [{ type: 'text', text: 'Hello I am MCPTool!' }],
  });
  const saved = await client.callTool({
    name: 'save_snippet',
    arguments: { snippetname: 'note', snippet: 'the kettle is on' },
  });
  expect(saved).toMatchObject({
    content: [{ text: "Snippet 'note' saved successfully" }],
    structuredContent: { snippetname: 'note', saved: true },
  });
  expect(JSON.stringify(saved), 'D60: the content is not echoed').not.toContain('kettle');
  expect(await client.callTool({ name: 'get_snippet', arguments: { snippetname: 'note' } })).toMatchObject({
    content: [{ text: 'the kettle is on' }],
    structuredContent: { snippetname: 'note', snippet: 'the kettle is on' },
  });
  await client.close();
});

test.each(eras)('A59 D60: a snippet that is not there is a clear tool error (%s)', async (_era, mode) => {
  const client = await connect('t.carl', mode);
  const result = await client.callTool({ name: 'get_snippet', arguments: { snippetname: 'absent' } });
  expect(result).toMatchObject({ isError: true, content: [{ text: "You have no snippet named 'absent'" }] });
  await client.close();
});

test.each([
  [{ snippetname: '../../etc/passwd' }, 'A snippet name has'],
  [{ snippetname: '' }, 'A snippet name has'],
  [{}, 'No snippet name provided'],
])('A59 D60: get_snippet %j says what is wrong', async (input, message) => {
  const client = await connect('t.carl', 'legacy');
  const said = await client.callTool({ name: 'get_snippet', arguments: input }).then(JSON.stringify, String);
  expect(said).toContain(message);
  await client.close();
});

test.each([[{ snippetname: 'note' }], [{ snippetname: 'note', snippet: '' }]])(
  'A59: save_snippet %j asks for content',
  async (input) => {
    const client = await connect('t.carl', 'legacy');
    const said = await client
      .callTool({ name: 'save_snippet', arguments: input })
      .then(JSON.stringify, String);
    expect(said).toContain('No snippet content provided');
    await client.close();
  },
);

test('A21 D14 D42 CVE-2026-25536: 200 concurrent people each read their own snippet', async () => {
  const people = Array.from({ length: 200 }, (_, index) => `t.person-${index}`);
  const read = await Promise.all(
    people.map(async (person, index) => {
      const client = await connect(person, index % 2 === 0 ? 'legacy' : { pin: '2026-07-28' });
      await client.callTool({ name: 'save_snippet', arguments: { snippetname: 'mine', snippet: person } });
      const result = await client.callTool({ name: 'get_snippet', arguments: { snippetname: 'mine' } });
      await client.close();
      return result.structuredContent;
    }),
  );
  expect(read).toEqual(people.map((snippet) => ({ snippetname: 'mine', snippet })));
}, 60_000);

async function post(headers: Record<string, string>, body = '{}', path = ''): Promise<Response> {
  return fetch(server.url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body,
  });
}

test.each<[string, Record<string, string>, number, string]>([
  ['no function key', {}, 403, 'function key'],
  ['a wrong function key', { 'x-functions-key': 'key-2' }, 403, 'function key'],
  ['no identity', { 'x-functions-key': 'key-1' }, 403, 'identity'],
  [
    'a hand-written identity',
    { 'x-functions-key': 'key-1', 'x-valetkey-identity': 't.anna' },
    403,
    'identity',
  ],
  [
    'only the plain id headers',
    { 'x-functions-key': 'key-1', 'x-valetkey-object-id': 'anna' },
    403,
    'identity',
  ],
])('A53 D42: %s is refused with a JSON-RPC error', async (_case, headers, status, word) => {
  const response = await post(headers);
  expect(response.status).toBe(status);
  const body = (await response.json()) as { jsonrpc: string; error: { message: string } };
  expect(body.jsonrpc).toBe('2.0');
  expect(body.error.message).toContain(word);
});

test('another path is 404', async () => {
  expect((await post({ 'x-functions-key': 'key-1' }, '{}', '/other')).status).toBe(404);
});

test('D16: malformed JSON is a 400 and the server goes on', async () => {
  const headers = { 'x-functions-key': 'key-1', 'x-valetkey-identity': await gateway.identityOf('t.anna') };
  expect((await post(headers, '{"jsonrpc":')).status).toBe(400);
  const client = await connect('t.anna', 'legacy');
  await client.callTool({ name: 'hello_mcp' });
  await client.close();
});

test('keys that cannot be read are 503, not an open door', async () => {
  const lonely = await startGatewayStandIn();
  const header = await lonely.identityOf('t.anna');
  await lonely.close();
  const other = await startSnippetsServer({
    port: 0,
    directory,
    identity: { issuer, audience, jwksUrl: lonely.jwksUrl },
  });
  const response = await fetch(other.url, {
    method: 'POST',
    headers: { 'x-valetkey-identity': header },
    body: '{}',
  });
  expect(response.status).toBe(503);
  await other.close();
});
