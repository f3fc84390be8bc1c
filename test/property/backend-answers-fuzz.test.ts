/**
 * A backend whose answers are damaged: cut, doubled, framed in two ways, with headers that no backend may send. Whoever
 * asked gets something sound or hears that it is not; whoever asks next gets their own answer and nothing of the last one.
 *
 * Time-boxed; GATEWAY_FUZZ_MS makes it longer, and the seed stands in the title and in FUZZ_SEED: set it to repeat a run.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { changeWith, cutAt, cutsUpTo, damage, marks } from '../support/damage.ts';
import { fuzz, fuzzSeed, fuzzTimeoutMs } from '../support/fuzzed-gateway.ts';
import { type Holder, mintTokens } from '../support/minted-tokens.ts';
import { callMcp } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

/** What the request with this id is answered with, in pieces, and whether the connection ends then. */
interface Prepared {
  readonly pieces: readonly string[];
  readonly closes: boolean;
}

const damages = new Map<string, Prepared>();
const sockets = new Set<Socket>();
let server: Server;
let product: Product;
let anna: Holder;
let ben: Holder;

const idOf = (request: string) => /"pad":"(.*?)"/.exec(request)?.[1] ?? '';
const personOf = (request: string) => /x-valetkey-object-id: (.*?)\r\n/i.exec(request)?.[1] ?? '';

function answerOf(id: string, person: string): string {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { id, person } });
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function chunkedAnswerOf(id: string, person: string): string {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { id, person } });
  const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;
}

function serve(socket: Socket): void {
  sockets.add(socket);
  let received = '';
  socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  socket.on('data', (data) => {
    received += data.toString('latin1');
    // Every request here ends with its pad.
    if (!received.endsWith('"}}')) return;
    const [id, person] = [idOf(received), personOf(received)];
    received = '';
    const { pieces, closes } = damages.get(id) ?? { pieces: [answerOf(id, person)], closes: false };
    damages.delete(id);
    const write = (index: number): void => {
      const piece = pieces[index];
      if (piece !== undefined) socket.write(piece, 'latin1', () => setImmediate(write, index + 1));
      else if (closes) socket.end();
    };
    write(0);
  });
}

beforeAll(async () => {
  server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  product = await startProduct({
    backends: () => ({
      damaged: {
        path: '/snippets/mcp',
        upstream,
        scopes: { 'snippets.use': 'Use it' },
        timeouts: { connectMs: 1000, firstByteMs: 200, idleMs: 200 },
        circuit: { failures: 0 },
      },
    }),
  });
  [anna, ben] = (await mintTokens(product, 2)) as [Holder, Holder];
});
afterAll(async () => {
  await product.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const headers = [
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length: 99999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Connection: close',
  'Connection: keep-alive, Content-Length',
  'Content-Encoding: gzip',
  'Content-Type: text/event-stream',
  'Set-Cookie: planted=1',
  'Location: https://evil.example/',
  'WWW-Authenticate: Bearer resource_metadata="https://evil.example/"',
  'Access-Control-Allow-Origin: https://evil.example',
  'Alt-Svc: h2="evil.example:443"',
  'X-Valetkey-Identity: x',
  'Mcp-Session-Id: x',
].map((line) => `${line}\r\n`);
const lines = [
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 302 Found\r\n',
  'HTTP/1.1 401 Unauthorized\r\n',
  'HTTP/1.0 200 OK\r\n',
  'HTTP/2 200\r\n',
  answerOf('poison', 'poison'),
  chunkedAnswerOf('poison', 'poison'),
];
const texts = fc.constantFrom(...marks, '5\r\n', 'zz', ...headers, ...lines);

const damaged = fc.record({
  isChunked: fc.boolean(),
  changes: fc.array(changeWith(texts), { minLength: 1, maxLength: 4 }),
  cuts: cutsUpTo(3),
  closes: fc.boolean(),
});
type Damaged = typeof damaged extends fc.Arbitrary<infer Value> ? Value : never;

let count = 0;

function prepare({ isChunked, changes, cuts, closes }: Damaged): string {
  count += 1;
  const id = `damaged-${count}`;
  const answer = (isChunked ? chunkedAnswerOf : answerOf)(id, anna.person);
  const bytes = changes.reduce(damage, answer);
  damages.set(id, { pieces: cutAt(bytes, cuts), closes });
  return id;
}

const neverFromABackend = ['set-cookie', 'location', 'alt-svc', 'x-valetkey-identity'];

/** Whatever comes of it: nothing that only the gateway may say, and not a fault of ours. */
async function expectSound(holder: Holder, id: string): Promise<void> {
  let response: Response;
  try {
    response = await callMcp(product.mcpUrl, holder.token, 'ping', { pad: id });
  } catch {
    return;
  }
  for (const name of neverFromABackend) expect(response.headers.get(name), name).toBeNull();
  expect(response.headers.get('www-authenticate')).toBeNull();
  expect(response.headers.get('access-control-allow-origin')).not.toContain('evil');
  expect(response.status).not.toBe(500);
  expect(response.status).not.toBe(401);
  // Half an answer breaks off; what has become an event stream may go on for ever.
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  await (isStream ? response.body?.cancel() : response.text().catch(() => ''));
}

let answered = 0;

async function expectOwn(holder: Holder): Promise<void> {
  count += 1;
  const id = `good-${count}`;
  const response = await callMcp(product.mcpUrl, holder.token, 'ping', { pad: id });
  const message: unknown = await response.json();
  // An answer that nobody asked for can have met this request on its connection, which is then given up; and the time
  // for the first byte is short here.
  if (response.status === 502 || response.status === 504) return;
  answered += 1;
  expect(message).toEqual({ jsonrpc: '2.0', id: 1, result: { id, person: holder.person } });
}

test(
  `A53 A54: after a damaged answer everybody else gets their own, and nothing of it is believed (FUZZ_SEED=${fuzzSeed})`,
  async () => {
    await fuzz(fc.array(damaged, { minLength: 8, maxLength: 8 }), async (all) => {
      await Promise.all(all.map((each) => expectSound(anna, prepare(each))));
      await Promise.all([ben, anna, ben, anna, ben, anna, ben, anna].map(expectOwn));
    });
    expect(product.logLines.filter((line) => line.includes('request failed'))).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  },
  fuzzTimeoutMs,
);
