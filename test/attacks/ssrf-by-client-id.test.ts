/** Stops: a client id that is an address inside the operator's network, fetched by the gateway for whoever asks. */
import { hostname } from 'node:os';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { SignJWT, generateKeyPair } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Answering,
  type HostileHost,
  startHostileHost,
  startTripwire,
  type Tripwire,
} from '../support/hostile-host.ts';
import { authorizeRequest, postForm, postJson } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

const redirect = 'https://client.example/cb';
const maxMs = 5000;

/** As an operator runs it: no document from loopback. */
let guarded: Product;
/** As a developer runs it, so that hostile answers can be given at all. */
let open: Product;
let host: HostileHost;
let tripwire: Tripwire;

beforeAll(async () => {
  tripwire = await startTripwire();
  host = await startHostileHost();
  guarded = await startProduct();
  open = await startProduct({ config: { clients: host.clientsConfig } });
});
afterAll(async () => {
  await guarded.close();
  await open.close();
  await host.close();
  await tripwire.close();
});

async function ask(product: Product, clientId: string): Promise<Response> {
  const { url } = authorizeRequest(product, clientId, { redirect_uri: redirect });
  return fetch(url, { redirect: 'manual', headers: { accept: 'text/html' } });
}

async function expectRefused(product: Product, clientId: string): Promise<void> {
  const startedMs = performance.now();
  const response = await ask(product, clientId);
  const page = await response.text();
  expect(response.headers.get('location')).toBeNull();
  expect(response.status).toBe(400);
  expect(page).toContain('This sign-in cannot go on');
  expect(performance.now() - startedMs).toBeLessThan(maxMs);
  // Nothing of what was, or was not, found there comes back to who asked.
  expect(page).not.toMatch(/ECONN|ENOTFOUND|EHOST|refused to connect|internal-secret/i);
}

const inner = [
  'https://127.0.0.1:PORT/client.json',
  'https://127.0.0.2:PORT/client.json',
  'https://localhost:PORT/client.json',
  'https://LOCALHOST:PORT/client.json',
  'https://localhost.:PORT/client.json',
  'https://[::1]:PORT/client.json',
  'https://[::]:PORT/client.json',
  'https://[::ffff:127.0.0.1]:PORT/client.json',
  'https://[::ffff:7f00:1]:PORT/client.json',
  'https://[::127.0.0.1]:PORT/client.json',
  'https://[64:ff9b::7f00:1]:PORT/client.json',
  'https://[2002:7f00:1::]:PORT/client.json',
  'https://2130706433:PORT/client.json',
  'https://0x7f000001:PORT/client.json',
  'https://0x7f.1:PORT/client.json',
  'https://0177.0.0.1:PORT/client.json',
  'https://127.1:PORT/client.json',
  'https://0:PORT/client.json',
  'https://0.0.0.0:PORT/client.json',
  'https://①②⑦.0.0.1:PORT/client.json',
  `https://${hostname()}:PORT/client.json`,
  'https://169.254.169.254/latest/meta-data',
  'https://169.254.169.254:PORT/metadata/instance',
  'https://[fe80::1]/client.json',
  'https://[fd00:ec2::254]/client.json',
  'https://168.63.129.16/client.json',
  'https://10.0.0.1/client.json',
  'https://172.16.0.1/client.json',
  'https://192.168.0.1/client.json',
  'https://100.100.100.200/client.json',
  'https://metadata.google.internal/client.json',
  'https://does-not-resolve.invalid/client.json',
];

test.each(inner)('GHSA-vv7q-7jx5-f767 CVE-2026-26118: %s is not fetched', async (id) => {
  const before = tripwire.touched();
  await expectRefused(guarded, id.replace('PORT', String(tripwire.port)));
  expect(tripwire.touched()).toBe(before);
});

test.each([
  ['http', 'http://client.example/client.json'],
  ['file', 'file:///etc/passwd'],
  ['gopher', 'gopher://127.0.0.1:6379/_x'],
  ['a user name', 'https://user@client.example/client.json'],
  ['a password', 'https://user:pass@client.example/client.json'],
  ['a fragment', 'https://client.example/client.json#x'],
  ['dot segments', 'https://client.example/a/../client.json'],
  ['encoded dot segments', 'https://client.example/a/%2e%2e/client.json'],
  ['a backslash', 'https://client.example\\@127.0.0.1/client.json'],
  ['a blank', 'https://client.example /client.json'],
  ['a line break', 'https://client.example/x\r\nHost: internal'],
  ['no path', 'https://client.example'],
  ['the root as its path', 'https://client.example/'],
  ['no host', 'https:///client.json'],
])('A45: a client id with %s is no document', async (_what, id) => {
  await expectRefused(guarded, id);
});

const description = { client_name: 'Document', redirect_uris: [redirect] };
const json =
  (body: unknown, headers: Record<string, string> = {}): Answering =>
  (_req, res) =>
    void res.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

/** A good document, and then blanks: whoever unpacks it takes it. */
function padded(url: string, bytes: number): Buffer {
  return Buffer.from(JSON.stringify({ client_id: url, ...description }) + ' '.repeat(bytes));
}

test('the control: a good document leads to the consent page', async () => {
  const id = host.on('/good.json', (req, res) =>
    json({ client_id: `${host.origin}${req.url}`, ...description })(req, res),
  );
  expect((await ask(open, id)).headers.get('location')).toMatch(/^\/consent\//);
});

const hostile: [what: string, path: string, answer: (url: string) => Answering][] = [
  [
    'redirects to the metadata service',
    '/to-metadata',
    () => (_req, res) =>
      void res.writeHead(302, { location: 'https://169.254.169.254/latest/meta-data' }).end(),
  ],
  [
    'redirects inside',
    '/to-inside',
    () => (_req, res) => void res.writeHead(301, { location: `https://127.0.0.1:${tripwire.port}/` }).end(),
  ],
  [
    'redirects to a good document',
    '/to-good',
    () => (_req, res) => void res.writeHead(307, { location: '/good.json' }).end(),
  ],
  ['is too large', '/large', (url) => json({ client_id: url, ...description, x: 'x'.repeat(6000) })],
  [
    'never ends',
    '/endless',
    () => (_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => res.write(' '.repeat(100)), 20);
      res.on('close', () => clearInterval(timer));
    },
  ],
  ['never begins', '/silent', () => () => {}],
  [
    'comes byte by byte',
    '/drip',
    () => (_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => res.write(' '), 400);
      res.on('close', () => clearInterval(timer));
    },
  ],
  [
    'breaks off',
    '/broken',
    () => (_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' }).write('{');
      res.destroy();
    },
  ],
  [
    'unpacks to fifty megabytes (brotli)',
    '/brotli',
    (url) => (_req, res) =>
      void res
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'br' })
        .end(brotliCompressSync(padded(url, 50_000_000))),
  ],
  [
    'unpacks to three megabytes (gzip)',
    '/gzip',
    (url) => (_req, res) =>
      void res
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync(padded(url, 3_000_000))),
  ],
  [
    'is HTML',
    '/page',
    () => (_req, res) =>
      void res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>internal-secret</h1>'),
  ],
  ['is an error', '/error', () => (_req, res) => void res.writeHead(500).end('internal-secret')],
  ['is missing', '/missing', () => (_req, res) => void res.writeHead(404).end()],
  ['is empty', '/empty', () => (_req, res) => void res.writeHead(204).end()],
  ['is a list', '/list', () => json([])],
  ['is null', '/null', () => json(null)],
  ['is nested deeply', '/deep', () => (_req, res) => void res.writeHead(200).end('['.repeat(5000))],
  [
    'names another client',
    '/other',
    () => json({ client_id: 'https://claude.ai/client.json', ...description }),
  ],
  ['names no client', '/nameless', () => json(description)],
  ['holds a secret', '/secret', (url) => json({ client_id: url, ...description, client_secret: 'x' })],
  [
    'wants a shared secret',
    '/basic',
    (url) => json({ client_id: url, ...description, token_endpoint_auth_method: 'client_secret_basic' }),
  ],
  ['has no name', '/unnamed', (url) => json({ client_id: url, redirect_uris: [redirect] })],
  ['has no redirect', '/no-redirect', (url) => json({ client_id: url, client_name: 'x' })],
  [
    'has only forbidden redirects',
    '/bad-redirect',
    (url) =>
      json({
        client_id: url,
        client_name: 'x',
        redirect_uris: ['javascript:alert(1)', 'http://evil.example/'],
      }),
  ],
  [
    'has a redirect of odd types',
    '/odd-redirect',
    (url) => json({ client_id: url, client_name: 'x', redirect_uris: [{ toString: 1 }, 1, null] }),
  ],
];

test.concurrent.each(hostile)(
  'A45: a document that %s gives a page within five seconds',
  async (_what, path, answer) => {
    const before = tripwire.touched();
    const url = host.origin + path;
    host.on(path, answer(url));
    await expectRefused(open, url);
    expect(tripwire.touched()).toBe(before);
  },
);

test('a failure is not kept: once the document is right, it is read again', async () => {
  const url = `${host.origin}/later.json`;
  host.on('/later.json', (_req, res) => void res.writeHead(503).end());
  await expectRefused(open, url);
  host.on('/later.json', json({ client_id: url, ...description }));
  expect((await ask(open, url)).headers.get('location')).toMatch(/^\/consent\//);
});

async function assertionFor(product: Product, clientId: string): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256');
  return new SignJWT({ jti: 'x' })
    .setProtectedHeader({ alg: 'ES256', kid: 'x' })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(product.url)
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(privateKey);
}

test('CVE-2026-26118: jwks_uri, and no other address of a registration, leads inside either', async () => {
  const before = tripwire.touched();
  for (const target of [
    `https://127.0.0.1:${tripwire.port}/`,
    `https://[::1]:${tripwire.port}/`,
    'https://169.254.169.254/',
  ]) {
    const { status, body } = await postJson(`${guarded.url}/register`, {
      redirect_uris: [redirect],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: target,
      logo_uri: target,
      client_uri: target,
      policy_uri: target,
      tos_uri: target,
      sector_identifier_uri: target,
      initiate_login_uri: target,
      request_uris: [target],
      backchannel_logout_uri: target,
    });
    expect(status).toBe(201);
    const clientId = String(body['client_id']);
    const startedMs = performance.now();
    const answer = await postForm(`${guarded.url}/token`, {
      grant_type: 'authorization_code',
      code: 'x',
      redirect_uri: redirect,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await assertionFor(guarded, clientId),
    });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(performance.now() - startedMs).toBeLessThan(maxMs);
    expect(JSON.stringify(answer.body)).not.toMatch(/ECONN|EHOST|127\.0\.0\.1|169\.254/);
    expect((await ask(guarded, clientId)).headers.get('location')).toMatch(/^\/consent\//);
  }
  expect(tripwire.touched()).toBe(before);
});
