/** Stops: a call that is made and leaves no record, since its answer trips the gateway. */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StoreUnavailable } from '@valetkey/gateway/store/driver';
import { callMcp, obtainTokens } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

/** What the store throws next in place of noting whose session it is. */
const store: { fault: Error | undefined } = { fault: undefined };

let product: Product;
let backend: Server;
let token: string;
/** Bytes of the next answer, one character each. */
const next = { answer: '' };

beforeAll(async () => {
  backend = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(next.answer, 'latin1'));
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const upstream = `http://127.0.0.1:${(backend.address() as AddressInfo).port}/mcp`;
  const tools = { hidden: { anyRole: ['Snippets.Admin'] } };
  product = await startProduct({
    gateway: {
      wrapDriver: (driver) => ({
        ...driver,
        async create(key, ...rest) {
          if (store.fault !== undefined && key.startsWith('proxy.')) throw store.fault;
          return driver.create(key, ...rest);
        },
      }),
    },
    backends: () => ({
      snippets: {
        path: '/snippets/mcp',
        upstream,
        scopes: ['snippets.use'],
        tools,
        circuit: { failures: 0 },
      },
    }),
  });
  token = (await obtainTokens(product, product.people.reader)).accessToken;
});
afterAll(async () => {
  await product.close();
  await new Promise((resolve) => backend.close(resolve));
});

const body = '{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}';
const answer = (status: string, ...headers: readonly string[]) =>
  ['HTTP/1.1 ' + status, 'Connection: close', ...headers].join('\r\n') + '\r\n\r\n' + body;
const json = 'Content-Type: application/json';

const answers: readonly (readonly [string, string])[] = [
  ['a header in UTF-8', answer('200 OK', json, 'X-Note: \xc5\xbc\xf0\x9f\x94\x91')],
  ['a header in Latin-1', answer('200 OK', json, 'X-Note: caf\xe9')],
  ['a session id in UTF-8', answer('200 OK', json, 'Mcp-Session-Id: \xc5\xbc')],
  ['a media type in UTF-8', answer('200 OK', 'Content-Type: application/json; a=\xc5\xbc')],
  ['an empty header', answer('200 OK', json, 'X-Note:')],
  ['a header name that is a number', answer('200 OK', json, '1: 1')],
  ['a header name of an object', answer('200 OK', json, '__proto__: 1', 'constructor: 2', 'toString: 3')],
  ['the status 999', answer('999 No', json)],
  ['the status 600', answer('600 No', json)],
  ['the status 100 alone', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
  ['a reason in UTF-8', answer('200 \xc5\xbc', json)],
  ['two lengths', answer('200 OK', json, 'Content-Length: 4', `Content-Length: ${body.length}`)],
  ['a length and chunks', answer('200 OK', json, 'Content-Length: 4', 'Transfer-Encoding: chunked')],
  ['a length that is too long', answer('200 OK', json, 'Content-Length: 4000')],
  ['no length of a status without a body', answer('204 No Content', json)],
  ['a status without a body in the middle', answer('304 Not Modified', json)],
  ['a stream with a length', answer('200 OK', 'Content-Type: text/event-stream', 'Content-Length: 3')],
  ['an unknown coding', answer('200 OK', json, 'Content-Encoding: \xff')],
  ['trailers', answer('200 OK', json, 'Trailer: \xc5\xbc')],
  ['a hundred thousand characters in a header', answer('200 OK', json, `X-Note: ${'x'.repeat(100_000)}`)],
  [
    'ten thousand headers',
    answer('200 OK', json, ...Array.from({ length: 10_000 }, (_, at) => `x-${at}: 1`)),
  ],
  ['nothing at all', ''],
];

async function calls(): Promise<unknown[]> {
  const records = await product.readAudit();
  return records.filter(({ event }) => event === 'mcp.call').map(({ method }) => method);
}

test.each(
  answers.flatMap(([what, bytes]) =>
    ['tools/call', 'tools/list'].map((method) => [what, method, bytes] as const),
  ),
)('A25 A22: %s to %s ends the call with a record of it', async (_what, method, bytes) => {
  next.answer = bytes;
  const before = (await calls()).length;
  const faults = product.logLines.length;
  const reply = await callMcp(product.mcpUrl, token, method, { name: 'wipe' }).catch(() => undefined);
  await reply?.arrayBuffer().catch(() => undefined);
  const fresh = async () => (await calls()).slice(before);
  await expect.poll(fresh, { timeout: 3000 }).toEqual([method]);
  expect(product.logLines.slice(faults).filter((line) => line.includes('request failed'))).toEqual([]);
});

test.each([
  ['a fault that nobody expects', new TypeError('broken for the test'), 500],
  ['a store that has gone', new StoreUnavailable('down for the test'), 200],
])(
  'A25: %s behind the answer of the backend does not hide that the call was made',
  async (_what, fault, status) => {
    next.answer = answer('200 OK', json, 'Mcp-Session-Id: s1');
    const before = (await calls()).length;
    store.fault = fault;
    const reply = await callMcp(product.mcpUrl, token, 'tools/call', { name: 'wipe' });
    store.fault = undefined;
    expect(reply.status).toBe(status);
    await expect.poll(async () => (await calls()).slice(before)).toEqual(['tools/call']);
  },
);
