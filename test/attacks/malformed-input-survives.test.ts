/** Stops: one odd request that ends the process, or is answered with a fault of ours. A failing run prints its seed. */
import { connect } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { callMcp, obtainTokens, registerClient } from '../support/oauth-client.ts';
import { type Product, snippetsBackend, startProduct } from '../support/product.ts';
import { send, sendBytes, statusOf } from '../support/raw-http.ts';

const runs = { numRuns: 60 };

let product: Product;
let canary: CanaryBackend;
let token: string;
let clientId: string;

beforeAll(async () => {
  canary = await startCanaryBackend();
  product = await startProduct({ backends: () => ({ snippets: snippetsBackend(canary.url) }) });
  const tokens = await obtainTokens(product, product.people.reader);
  token = tokens.accessToken;
  clientId = tokens.clientId;
});
afterAll(async () => {
  const { status } = await callMcp(product.mcpUrl, token, 'ping');
  await product.close();
  await canary.close();
  expect(status).toBe(200);
});

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom(
    '',
    '\0',
    '__proto__',
    'constructor',
    '../..',
    '%',
    '%00',
    '[object Object]',
    'x'.repeat(9000),
    '\u202e',
    '\ud800',
    '-1',
    '1e999',
    'null',
    "' OR ''='",
  ),
);
const names = (list: string) => fc.constantFrom(...list.trim().split(/\s+/));
const parameterNames = fc.oneof(
  names(`
    client_id client_secret redirect_uri response_type response_mode scope state nonce prompt
    code_challenge code_challenge_method resource code code_verifier grant_type refresh_token token
    token_type_hint client_assertion client_assertion_type login_hint claims request request_uri csrf
    decision remember error error_description max_age id_token_hint authorization_details __proto__`),
  text,
);
const knownValues = fc.constantFrom(
  'authorization_code',
  'refresh_token',
  'code',
  'S256',
  'none',
  'allow',
  'consent',
  'KNOWN-CLIENT',
  'KNOWN-RESOURCE',
  'http://127.0.0.1:33418/callback',
);
const parameters = fc.array(fc.tuple(parameterNames, fc.oneof(text, knownValues)), { maxLength: 12 });

function encode(pairs: readonly (readonly [string, string])[]): string {
  const known = (value: string) =>
    value.replace('KNOWN-CLIENT', clientId).replace('KNOWN-RESOURCE', product.mcpUrl);
  const encoded = new URLSearchParams();
  for (const [name, value] of pairs) encoded.append(name.toWellFormed(), known(value).toWellFormed());
  return encoded.toString();
}

async function statusOfFetch(url: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  await response.arrayBuffer();
  return response.status;
}

test('A22 D16 D39: whatever is asked of /authorize, /consent and the callback, the answer is no 5xx', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('/authorize', '/authorize/x', '/consent/x', '/auth/callback', '/jwks', '/unknown'),
      parameters,
      async (path, pairs) => {
        const status = await statusOfFetch(`${product.url}${path}?${encode(pairs).slice(0, 12_000)}`);
        expect(status).toBeLessThan(500);
      },
    ),
    runs,
  );
});

const contentTypes = fc.constantFrom(
  'application/x-www-form-urlencoded',
  'application/json',
  'application/json; charset=utf-16',
  'application/x-www-form-urlencoded; charset=x',
  'multipart/form-data; boundary=x',
  'text/plain',
  'application/x+json',
  '',
  ';',
  'x'.repeat(500),
);
const bodies = fc.oneof(
  { weight: 3, arbitrary: parameters.map((pairs) => (): string | Uint8Array => encode(pairs)) },
  { weight: 2, arbitrary: fc.json().map((json) => (): string | Uint8Array => json) },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ maxLength: 500 })
      .map((bytes) => (): string | Uint8Array => Buffer.from(bytes)),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('', '{', '[', 'null', '[[[[', '"', '{"a":', '&&&&', '=&=&=', '%', '%zz=%zz')
      .map((each) => (): string | Uint8Array => each),
  },
);

test('A22 D16 D39: whatever is posted to /token, /register, /revoke and /consent, the answer is no 5xx', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('/token', '/register', '/revoke', '/consent/x'),
      contentTypes,
      bodies,
      async (path, contentType, body) => {
        const headers = {
          'content-type': contentType,
          ...(path === '/consent/x' ? { origin: product.url } : {}),
        };
        const status = await statusOfFetch(product.url + path, { method: 'POST', headers, body: body() });
        expect(status).toBeGreaterThanOrEqual(200);
        expect(status).toBeLessThan(500);
      },
    ),
    { numRuns: 150 },
  );
});

test('A22 A31 D39: whatever the members of a registration are, the answer is 201 or 400', async () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), text);
  const member = names(`
    client_name client_uri logo_uri grant_types response_types scope contacts jwks jwks_uri
    token_endpoint_auth_method application_type software_id software_statement
    id_token_signed_response_alg client_id client_secret redirect_uris toString require_auth_time
    default_max_age subject_type`);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(member, value), { maxLength: 6 }),
      fc.array(value, { maxLength: 3 }),
      async (members, redirects) => {
        const metadata = {
          redirect_uris: ['https://client.example/cb', ...redirects],
          ...Object.fromEntries(members),
        };
        const status = await statusOfFetch(`${product.url}/register`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(metadata),
        });
        expect([201, 400, 413]).toContain(status);
      },
    ),
    { numRuns: 150 },
  );
});

test('A22: objects that cannot be printed, and thousands of levels, are 400 at registration', async () => {
  const nested = (open: string, close: string, times: number) => open.repeat(times) + close.repeat(times);
  for (const body of [
    '{"redirect_uris":[{"toString":1,"valueOf":1}]}',
    `{"redirect_uris":${nested('[', ']', 15_000)}}`,
    `{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt","jwks":${nested('[', ']', 9000)}}`,
    `{"redirect_uris":["https://a.example/cb"],"contacts":${nested('{"a":', '}', 4000).replace('}', '1}')}}`,
    nested('[', ']', 16_000),
  ]) {
    const headers = { 'content-type': 'application/json' };
    expect(await statusOfFetch(`${product.url}/register`, { method: 'POST', headers, body })).toBe(400);
  }
});

test('A22 D16: whatever JSON is sent to an MCP endpoint with a good token, the answer is no 5xx', async () => {
  const id = fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.jsonValue({ maxDepth: 2 }));
  const method = fc.oneof(
    fc.constantFrom(
      'tools/call',
      'tools/list',
      'initialize',
      'ping',
      'notifications/cancelled',
      'resources/read',
    ),
    text,
  );
  const message = fc.record(
    {
      jsonrpc: fc.constantFrom<unknown>('2.0', '1.0', 2, null),
      id,
      method,
      params: fc.jsonValue({ maxDepth: 4 }),
    },
    { requiredKeys: [] },
  );
  const body = fc
    .oneof(message, fc.array(message, { maxLength: 5 }), fc.jsonValue({ maxDepth: 5 }))
    .map((value) => JSON.stringify(value) ?? '');
  const version = fc.constantFrom('2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28', 'x', '');
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        body,
        bodies.map((make) => make()),
      ),
      version,
      async (sent, protocolVersion) => {
        const status = await statusOfFetch(product.mcpUrl, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            'mcp-protocol-version': protocolVersion,
          },
          body: sent,
        });
        expect(status).toBeLessThan(500);
      },
    ),
    { numRuns: 150 },
  );
});

test.each([
  ['an empty batch', '[]'],
  ['a batch of nothing', '[null,null]'],
  ['a batch in a batch', '[[{"jsonrpc":"2.0","id":1,"method":"ping"}]]'],
  ['a million levels of lists', '['.repeat(1_000_000)],
  ['a million closed levels', '['.repeat(1_000_000) + ']'.repeat(1_000_000)],
  [
    'deep objects',
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
  ],
  [
    'a key twice',
    '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"save_snippet"}}',
  ],
  ['__proto__', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"__proto__":{"name":"hello_mcp"}}}'],
  ['a lone surrogate', '{"jsonrpc":"2.0","id":1,"method":"\\ud800"}'],
  ['a byte order mark', '\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"'],
  ['half a message', '{"jsonrpc":"2.0","id":1,"meth'],
  ['nothing', ''],
])('A22 D16: %s is 400 and no request for the backend', async (_what, body) => {
  const before = canary.arrivals.length;
  const status = await statusOfFetch(product.mcpUrl, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
  });
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  expect(canary.arrivals.length).toBe(before);
});

test('A22: cookies, tokens and ids of any shape are no fault', async () => {
  const header = fc.string({
    unit: fc
      .integer({ min: 0x21, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCodePoint(code)),
    maxLength: 100,
  });
  const cookieNames = [
    'valetkey-interaction',
    'valetkey-interaction.sig',
    'valetkey-resume',
    'valetkey-form',
    'valetkey-browser',
    'valetkey-as',
    '__proto__',
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(
        '/authorize',
        '/authorize/x',
        '/consent/x',
        '/auth/callback?state=x&code=y',
        '/snippets/mcp',
      ),
      fc.array(fc.tuple(fc.constantFrom(...cookieNames), header), { maxLength: 5 }),
      header,
      async (path, cookies, authorization) => {
        const cookie = cookies.map(([name, value]) => `${name}=${value}`).join('; ');
        const { status } = await send(product.url, {
          method: 'GET',
          path,
          headers: [
            'Cookie',
            cookie,
            'Authorization',
            `Bearer ${authorization}`,
            'Mcp-Session-Id',
            authorization,
          ],
        });
        expect(status).toBeLessThan(500);
      },
    ),
    runs,
  );
});

test('A22: whatever bytes arrive on the socket, the gateway answers the next one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
      const received = await sendBytes(product.url, `${Buffer.from(bytes).toString('latin1')}\r\n\r\n`);
      expect(statusOf(received)).toBeLessThan(500);
    }),
    runs,
  );
  expect(await registerClient(product)).toMatch(/./);
});

test('A22 D15: clients that leave in the middle of a body or an answer end nothing', async () => {
  const { host } = new URL(product.url);
  for (const path of ['/token', '/register', '/snippets/mcp', '/consent/x']) {
    const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"half`;
    await Promise.race([sendBytes(product.url, head, () => true), leaveAfter(product.url, head)]);
  }
  expect((await callMcp(product.mcpUrl, token, 'ping')).status).toBe(200);
});

/** Connects, sends, and is gone. */
async function leaveAfter(origin: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(origin);
  await new Promise<void>((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.write(bytes, () => {
        socket.resetAndDestroy();
        resolve();
      });
    });
  });
}
