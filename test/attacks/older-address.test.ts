/**
 * Stops: the way in by an older transport (CVE-2026-32211: a server's SSE endpoint that asked for nothing; gateways that
 * looked at the new endpoint only). What the endpoint of a backend refuses, its addresses for HTTP+SSE refuse too, and a
 * canary behind the gateway tells what got through.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CanaryBackend, headerValues, startCanaryBackend } from '../support/canary-backend.ts';
import { obtainTokens, refresh } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { type RawAnswer, send } from '../support/raw-http.ts';

const resource = '/snippets/mcp';
const sse = '/snippets/mcp/sse';
const message = '/snippets/mcp/message';
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND'] as const;

let product: Product;
let canary: CanaryBackend;
let reader: string;
let guest: string;
let elsewhere: string;
let withoutRole: string;
const wrong = new Map<string, string[]>();

const backend = (path: string) => ({
  title: path,
  path,
  upstream: canary.url,
  scopes: { 'snippets.use': 'Use it' },
  enter: { anyRole: ['Snippets.Reader'] },
  tools: { save: { anyRole: ['Snippets.Writer'] } },
  legacySse: { sse: `${path}/sse`, message: `${path}/message` },
});

beforeAll(async () => {
  canary = await startCanaryBackend();
  product = await startProduct({
    config: { limits: { mcpBodyBytes: 20_000 } },
    backends: () => ({ snippets: backend(resource), other: backend('/other/mcp') }),
  });
  const at = (path: string) => ({ resource: product.url + path });
  reader = (await obtainTokens(product, product.people.reader, at(resource))).accessToken;
  guest = (await obtainTokens(product, product.people.guest, at(resource))).accessToken;
  // Signed in with the role, which was then taken away: the token is good, the person may not enter.
  const demoted = await obtainTokens(product, product.people.writer, at(resource));
  product.emulator.control.setRoles(product.people.writer.username, ['Snippets.Writer']);
  const renewed = await refresh(product, demoted.clientId, demoted.refreshToken);
  withoutRole = String(renewed.body['access_token']);
  elsewhere = (await obtainTokens(product, product.people.reader, at('/other/mcp'))).accessToken;
  const revoked = await obtainTokens(product, product.people.reader, at(resource));
  await fetch(`${product.url}/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: revoked.clientId, token: revoked.accessToken }),
  });
  wrong.set('no token', []);
  wrong.set('garbage', ['Authorization', 'Bearer garbage']);
  wrong.set('a token of another backend', ['Authorization', `Bearer ${elsewhere}`]);
  wrong.set('a revoked token', ['Authorization', `Bearer ${revoked.accessToken}`]);
  wrong.set('a refresh token', ['Authorization', `Bearer ${revoked.refreshToken}`]);
  wrong.set('the token in a cookie', ['Cookie', `access_token=${reader}`]);
  wrong.set('the token twice', ['Authorization', `Bearer ${reader}`, 'Authorization', `Bearer ${reader}`]);
});
afterAll(async () => {
  await product.close();
  await canary.close();
});
beforeEach(() => void canary.arrivals.splice(0));

const json = ['Content-Type', 'application/json'];
const bearer = (token: string) => ['Authorization', `Bearer ${token}`];
const call = (name: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}"}}`;

interface Stream {
  readonly address: string;
  readonly text: () => string;
  readonly ended: Promise<void>;
  leave(): void;
}

async function openStream(token: string, path = sse): Promise<Stream> {
  const leaving = new AbortController();
  const answer = await fetch(product.url + path, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    signal: leaving.signal,
  });
  const received = { text: '' };
  const drain = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) received.text += decoder.decode(chunk, { stream: true });
  };
  const ended = drain().catch(() => undefined);
  await expect.poll(() => received.text).toContain('event: endpoint');
  const address = /data: (.*)\n/.exec(received.text)?.[1] ?? '';
  return { address, ended, text: () => received.text, leave: () => leaving.abort() };
}

function post(address: string, token: string, body: string, more: string[] = []): Promise<RawAnswer> {
  return send(product.url, {
    method: 'POST',
    path: address,
    headers: [...bearer(token), ...(more.includes('Content-Type') ? [] : json), ...more],
    body,
  });
}

test('CVE-2026-32211 A12 A13: both addresses are 401 for every wrong credential and method, with the challenge of the backend', async () => {
  const { address, leave } = await openStream(reader);
  for (const [credential, headers] of wrong) {
    for (const path of [sse, message, address, `${sse}?access_token=${reader}`]) {
      for (const method of methods) {
        const answer = await send(product.url, { method, path, headers });
        const about = `${method} ${path.split('?')[0]} with ${credential}`;
        expect(answer.status, about).toBe(401);
        expect(String(answer.headers['www-authenticate']), about).toContain(
          `resource_metadata="${product.url}/.well-known/oauth-protected-resource${resource}"`,
        );
      }
    }
  }
  expect(canary.arrivals).toEqual([]);
  leave();
});

test('each address has its own method and no other', async () => {
  for (const [path, allowed] of [
    [sse, 'GET'],
    [message, 'POST'],
  ] as const) {
    for (const method of methods.filter((each) => each !== allowed)) {
      const answer = await send(product.url, { method, path, headers: bearer(reader) });
      expect([answer.status, answer.headers['allow']], `${method} ${path}`).toEqual([405, allowed]);
    }
  }
  expect(canary.arrivals).toEqual([]);
});

test('CVE-2026-8719 A24: who may not enter opens no stream, and what policy denies does not pass', async () => {
  const refused = await send(product.url, { method: 'GET', path: sse, headers: bearer(withoutRole) });
  expect(refused.status).toBe(403);
  const { address, leave, text } = await openStream(reader);
  const denied = await post(address, reader, call('save'));
  expect([denied.status, JSON.parse(denied.text)]).toMatchObject([403, { id: 1, error: { code: 403 } }]);
  expect(canary.arrivals).toEqual([]);
  expect((await post(address, reader, call('read'))).status).toBe(202);
  await expect.poll(text).toContain('arrived');
  expect(canary.arrivals).toHaveLength(1);
  leave();
});

test('D61 D14 MSRC-112281: a session is nothing to another person, nor at another backend, nor after its stream', async () => {
  const { address, leave } = await openStream(reader);
  const query = address.slice(address.indexOf('?'));
  expect((await post(address, guest, call('read'))).status, 'another person').toBe(404);
  expect((await post(`/other/mcp/message${query}`, elsewhere, call('read'))).status, 'another backend').toBe(
    404,
  );
  expect((await post(`${message}?sessionId=x&${query.slice(1)}`, reader, call('read'))).status).toBe(404);
  const unknown = await post(`${message}?sessionId=made-up`, reader, call('read'));
  expect(unknown.status).toBe(404);
  expect(unknown.text).toContain('with several replicas');
  leave();
  await expect.poll(async () => (await post(address, reader, call('read'))).status).toBe(404);
  expect(canary.arrivals).toEqual([]);
});

test.each<[string, number, string[], string]>([
  [
    'a body that is too large',
    413,
    [],
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"${'y'.repeat(30_000)}"}}`,
  ],
  ['a body that is no JSON', 400, [], '{'],
  ['a key twice', 400, [], '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}'],
  ['another media type', 415, ['Content-Type', 'text/plain'], call('read')],
  ['a foreign origin', 403, ['Origin', 'https://evil.example'], call('read')],
  [
    'headers that say otherwise',
    400,
    ['MCP-Protocol-Version', '2026-07-28', 'Mcp-Method', 'ping'],
    `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`,
  ],
])('%s is refused there as well', async (_case, status, headers, body) => {
  const { address, leave } = await openStream(reader);
  expect((await post(address, reader, body, headers)).status).toBe(status);
  expect(canary.arrivals).toEqual([]);
  leave();
});

test('A52 A53: the backend gets the gateway’s word, and nothing that the client made up', async () => {
  const { address, leave, text } = await openStream(reader);
  const forged = [
    'X-Valetkey-Object-Id',
    'admin',
    'Cookie',
    'a=b',
    'Mcp-Session-Id',
    'of-another',
    'X-Forwarded-For',
    '10.0.0.1',
  ];
  await post(address, reader, call('read'), forged);
  await expect.poll(text).toContain('arrived');
  const [arrival] = canary.arrivals;
  expect(headerValues(arrival, 'x-valetkey-identity')).toHaveLength(1);
  expect(JSON.stringify(arrival)).not.toMatch(/admin|of-another|10\.0\.0\.1|a=b|Bearer/);
  expect(arrival?.url, 'nor the session of the older address').toBe('/mcp');
  leave();
});

test('A56: a revoked session loses its stream at once, and what it had at the backend', async () => {
  const tokens = await obtainTokens(product, product.people.reader, { resource: product.url + resource });
  const { address, ended, text } = await openStream(tokens.accessToken);
  const initialize = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}';
  await post(address, tokens.accessToken, initialize);
  await expect.poll(text).toContain('arrived');
  await fetch(`${product.url}/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: tokens.clientId, token: tokens.accessToken }),
  });
  await ended;
  expect((await post(address, tokens.accessToken, call('read'))).status).toBe(401);
  expect((await post(address, reader, call('read'))).status, 'not even by the same person').toBe(404);
  await expect.poll(() => canary.arrivals.map(({ method }) => method)).toContain('DELETE');
});

test('A25: each use of the older addresses is one record', async () => {
  const before = (await product.readAudit()).length;
  const { address, leave, text } = await openStream(reader);
  await post(address, reader, call('read'));
  await post(address, reader, call('save'));
  await expect.poll(text).toContain('arrived');
  const records = async () =>
    (await product.readAudit())
      .slice(before)
      .map(({ event, method, target, outcome }) => ({ event, method, target, outcome }));
  await expect.poll(records).toEqual(
    expect.arrayContaining([
      { event: 'mcp.call', method: 'http GET', target: undefined, outcome: 'success' },
      { event: 'mcp.call', method: 'tools/call', target: 'read', outcome: 'success' },
      { event: 'access.denied', method: 'tools/call', target: 'save', outcome: 'denied' },
    ]),
  );
  expect(JSON.stringify(await product.readAudit())).not.toContain(address.split('=')[1]);
  expect(product.logLines.join('')).not.toContain(address.split('=')[1]);
  leave();
});
