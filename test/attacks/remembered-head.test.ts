/**
 * Stops: a request that is taken for one before it, since its head is the same to the last byte. What was made of the head
 * is remembered; what it may do, where it goes and what goes with it must not be.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { mintTokens } from '../support/minted-tokens.ts';
import { obtainTokens, postForm, type Tokens } from '../support/oauth-client.ts';
import { type Product, snippetsBackend, startProduct } from '../support/product.ts';
import { type RawBackend, startRawBackend, valuesOf } from '../support/raw-backend.ts';
import { converse, statusesOf } from '../support/raw-socket.ts';

let product: Product;
let backend: RawBackend;
let other: RawBackend;
let tokens: Tokens;

const served = (upstream: string, credential?: object) => ({
  snippets: { ...snippetsBackend(upstream), credential },
});

beforeAll(async () => {
  [backend, other] = [await startRawBackend(), await startRawBackend()];
  product = await startProduct({ backends: () => served(backend.url) });
});
afterAll(async () => {
  await product.close();
  await Promise.all([backend.close(), other.close()]);
});
beforeEach(async () => {
  product.time.aheadMs = 0;
  await product.reload({ backends: served(backend.url) });
  tokens = await obtainTokens(product, product.people.reader);
  for (const each of [backend, other]) each.arrived.length = 0;
});

const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

function callBytes(token: string, path = '/snippets/mcp'): string {
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: ${new URL(product.url).host}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    'X-Caller-Key: of-the-client',
    `Content-Length: ${ping.length}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${ping}`;
}

/** @returns the status. */
async function send(bytes: string): Promise<number | undefined> {
  const { received } = await converse(product.url, [bytes], {
    isEnough: (text) => /\r\n\r\n./s.test(text),
  });
  return statusesOf(received)[0];
}

/** As often as it takes to be remembered, and once more. */
async function sendOften(bytes: string): Promise<void> {
  const before = product.taken.fast;
  for (let time = 0; time < 4; time += 1) expect(await send(bytes)).toBe(200);
  expect(product.taken.fast - before).toBe(4);
}

const keysAt = ({ arrived }: RawBackend) => arrived.map(({ headers }) => valuesOf(headers, 'x-caller-key'));

test('A56: the token in it is refused once its session has ended', async () => {
  const bytes = callBytes(tokens.accessToken);
  await sendOften(bytes);
  const { clientId, refreshToken } = tokens;
  await postForm(`${product.url}/revoke`, { token: refreshToken, client_id: clientId });
  expect(await send(bytes)).toBe(401);
  expect(backend.arrived).toHaveLength(4);
});

test('A12: and once it has expired', async () => {
  const bytes = callBytes(tokens.accessToken);
  await sendOften(bytes);
  product.time.aheadMs = 24 * 3600 * 1000;
  expect(await send(bytes)).toBe(401);
  expect(backend.arrived).toHaveLength(4);
});

test("A53: a header of the client's does not pass once it is the credential's", async () => {
  const bytes = callBytes(tokens.accessToken);
  await sendOften(bytes);
  await product.reload({
    backends: served(backend.url, { header: 'X-Caller-Key', value: 'env:FUNCTION_KEY' }),
  });
  await sendOften(bytes);
  const [key] = keysAt(backend).at(-1) ?? [];
  expect(key).not.toBe('of-the-client');
  expect(keysAt(backend)).toEqual([
    ...Array.from({ length: 4 }, () => ['of-the-client']),
    ...Array.from({ length: 4 }, () => [key]),
  ]);
});

test("A53: and the credential's does not go to the server that the path leads to from now on", async () => {
  const bytes = callBytes(tokens.accessToken);
  await product.reload({
    backends: served(backend.url, { header: 'X-Caller-Key', value: 'env:FUNCTION_KEY' }),
  });
  await sendOften(bytes);
  await product.reload({ backends: served(other.url) });
  await sendOften(bytes);
  expect(backend.arrived).toHaveLength(4);
  expect(keysAt(other)).toEqual(Array.from({ length: 4 }, () => ['of-the-client']));
});

test('a path that is served no more, or not yet, is none', async () => {
  const bytes = callBytes(tokens.accessToken);
  await sendOften(bytes);
  const elsewhere = callBytes(tokens.accessToken, '/elsewhere/mcp');
  for (let time = 0; time < 4; time += 1) expect(await send(elsewhere)).toBe(404);
  const { snippets } = served(backend.url);
  await product.reload({ backends: { snippets: { ...snippets, path: '/elsewhere/mcp' } } });
  expect(await send(bytes)).toBe(404);
  // The token is for the address where it was issued.
  expect(await send(elsewhere)).toBe(401);
});

test('A12 A53: of heads that differ in their tokens alone, each is its own person', async () => {
  // So many that several share a place in the memory, wherever that is.
  const holders = await mintTokens(product, 150);
  for (const { token } of holders) await sendOften(callBytes(token));
  backend.arrived.length = 0;
  for (const { token } of holders) expect(await send(callBytes(token))).toBe(200);
  const people = backend.arrived.map(({ headers }) => valuesOf(headers, 'x-valetkey-object-id'));
  expect(people).toEqual(holders.map(({ person }) => [person]));
  expect(backend.faults).toEqual([]);
});
