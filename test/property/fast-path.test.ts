/**
 * The fast path beside Node's own server: whatever bytes come, in whatever pieces, both see the same requests; and before
 * the same gateway, both say the same to the client and send the same to the backend.
 *
 * Time-boxed like the other fuzzers: GATEWAY_FUZZ_MS and FUZZ_SEED.
 */
import type { IncomingMessage, Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { openFastPath } from '@valetkey/gateway/fast-path/fast-path';
import { closeGracefully, createHttpServer, listen } from '@valetkey/gateway/http/server';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { changeWith, cutAt, cutsUpTo, damage } from '../support/damage.ts';
import {
  type FuzzedGateway,
  fuzz,
  fuzzSeed,
  fuzzTimeoutMs,
  startFuzzedGateway,
} from '../support/fuzzed-gateway.ts';
import type { Arrived } from '../support/raw-backend.ts';
import { smugglingCorpus } from '../support/smuggling-corpus.ts';

let gateway: FuzzedGateway;
const servers: Server[] = [];
/** The gateway's server has the fast path, this one before the same gateway has not. */
let plainUrl: string;
/** Two that note what they see, the first with the fast path. */
const noted: { readonly url: string; readonly seen: string[]; taken: number }[] = [];

beforeAll(async () => {
  gateway = await startFuzzedGateway();
  plainUrl = await open(createHttpServer(gateway.product.listener, { requestTimeoutMs: 30_000 }));
  for (const isFast of [true, false]) {
    const note = { url: '', seen: [] as string[], taken: 0 };
    const server = createHttpServer(
      (req, res) => {
        if ('wholeBody' in req) note.taken += 1;
        note.seen.push(describeSeen(req));
        req.resume();
        res.end('seen');
      },
      { requestTimeoutMs: 30_000 },
    );
    if (isFast) openFastPath(server, { isServed: (path) => path === gateway.target.path });
    note.url = await open(server);
    noted.push(note);
  }
});
afterAll(async () => {
  for (const server of servers) await closeGracefully(server, 200);
  await gateway.close();
});
afterEach(() => gateway.expectUnharmed());

async function open(server: Server): Promise<string> {
  await listen(server, '127.0.0.1', 0);
  servers.push(server);
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

/** Sent when something has been answered, and ends a connection on which all was well. */
const last = () => `GET /healthz HTTP/1.1\r\nHost: ${gateway.target.host}\r\nConnection: close\r\n\r\n`;
/** One whose end is in doubt is waited for only so long. */
const patienceMs = 500;

/**
 * Each piece as a packet of its own, then the last word.
 *
 * @param before a request that is answered before the first piece is sent.
 * @returns all that came.
 */
function converse(url: string, pieces: readonly string[], before?: string): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    let hasEnded = false;
    const socket = connect({
      host: 'localhost',
      port: Number(new URL(url).port),
      noDelay: true,
      allowHalfOpen: true,
    });
    const sayLast = () => {
      if (hasEnded) return;
      hasEnded = true;
      clearTimeout(timer);
      timer = setTimeout(done, patienceMs);
      socket.write(last());
    };
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(received);
    };
    let timer = setTimeout(sayLast, patienceMs);
    const write = (index: number): void => {
      const piece = pieces[index];
      if (piece !== undefined) socket.write(piece, 'latin1', () => setImmediate(write, index + 1));
    };
    let isBefore = before !== undefined;
    socket.once('connect', () => (before === undefined ? write(0) : socket.write(before, 'latin1')));
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
      if (isBefore) {
        isBefore = false;
        write(0);
        return;
      }
      // Another turn, for what is still on its way.
      setTimeout(sayLast, 5);
    });
    for (const event of ['end', 'close', 'error']) socket.once(event, done);
  });
}

/** What differs from one answer to the next, whoever reads the request. */
function withoutChance(received: string): string {
  return received
    .replaceAll(/\r\nDate: [^\r]*/g, '\r\nDate: …')
    .replaceAll(/\r\nX-Request-Id: [\w-]{22}\r/g, '\r\nX-Request-Id: …\r')
    .replaceAll(/"request_id":"[\w-]{22}"/g, '"request_id":"…"');
}

function describeSeen(req: IncomingMessage): string {
  const { method, url, httpVersion, rawHeaders, headers, headersDistinct } = req;
  const { 'content-length': said, ...others } = headers;
  const { 'content-length': _said, ...distinct } = headersDistinct;
  const lengthAt = rawHeaders.findIndex(
    (each, at) => at % 2 === 0 && each.toLowerCase() === 'content-length',
  );
  const raw = said === undefined ? rawHeaders : rawHeaders.toSpliced(lengthAt, 2);
  // What a body holds is Node's to tell only once it has come; that it is of this length, both say.
  const length = 'wholeBody' in req ? String((req.wholeBody as Uint8Array).length) : said;
  return JSON.stringify([method, url, httpVersion, raw, others, distinct, length]);
}

function describeArrived({ method, path, headers, body }: Arrived): string {
  const told = headers.filter(([name]) => name !== 'x-request-id' && name !== 'x-valetkey-identity');
  return JSON.stringify([method, path, told, body]);
}

const shown = (pieces: readonly string[]) => JSON.stringify(pieces).replaceAll(gateway.target.token, 'TOKEN');

/** The same requests, whatever becomes of them. */
async function expectSameSeen(pieces: readonly string[], before?: string): Promise<void> {
  const all: string[][] = [];
  for (const note of noted) {
    note.seen.splice(0);
    await converse(note.url, pieces, before);
    all.push(note.seen.splice(0));
  }
  expect(all[0], shown(pieces)).toEqual(all[1]);
}

interface Outcome {
  readonly received: string;
  readonly arrived: readonly string[];
}

async function outcomeAt(url: string, pieces: readonly string[]): Promise<Outcome> {
  const { backend } = gateway;
  backend.arrived.splice(0);
  const received = withoutChance(await converse(url, pieces));
  return { received, arrived: backend.arrived.map(describeArrived) };
}

/** The same answers, and the same at the backend. */
async function expectSame(pieces: readonly string[]): Promise<Outcome> {
  const byFastPath = await outcomeAt(gateway.product.url, pieces);
  const byNode = await outcomeAt(plainUrl, pieces);
  expect(byFastPath, shown(pieces)).toEqual(byNode);
  return byFastPath;
}

const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const usualLines = () => [
  `Host: ${gateway.target.host}`,
  `Authorization: Bearer ${gateway.target.token}`,
  'Content-Type: application/json',
  'Accept: application/json, text/event-stream',
  'MCP-Protocol-Version: 2025-11-25',
];

/** A call of the narrow shape, and all that is told of it. */
interface Told {
  readonly line?: string;
  readonly lines: readonly string[];
  readonly body: string;
  readonly length?: string;
}

function writeCall({ line = `POST ${gateway.target.path} HTTP/1.1`, lines, body, length }: Told): string {
  const sized = `Content-Length: ${length ?? Buffer.byteLength(body, 'latin1')}`;
  return `${[line, ...lines, sized].join('\r\n')}\r\n\r\n${body}`;
}

test('A53: a call that the fast path reads is the call that Node reads', async () => {
  const { taken } = gateway.product;
  const before = taken.fast;
  const { received, arrived } = await expectSame([writeCall({ lines: usualLines(), body: ping })]);
  expect(received).toMatch(/^HTTP\/1\.1 200 /);
  expect(arrived).toHaveLength(1);
  expect(taken.fast - before, 'only one of the two servers has it').toBe(1);
});

const refused: readonly [what: string, change: () => Partial<Told>][] = [
  ['no token', () => ({ lines: usualLines().filter((line) => !line.startsWith('Authorization')) })],
  ['a bad token', () => ({ lines: usualLines().map((line) => line.replace(/Bearer .*/, 'Bearer nobody')) })],
  ['another scheme', () => ({ lines: usualLines().map((line) => line.replace(/Bearer .*/, 'Basic YTpi')) })],
  [
    'a foreign host',
    () => ({ lines: usualLines().map((line) => line.replace(/^Host: .*/, 'Host: evil.example')) }),
  ],
  ['a foreign origin', () => ({ lines: [...usualLines(), 'Origin: https://evil.example'] })],
  ['our own origin', () => ({ lines: [...usualLines(), `Origin: http://${gateway.target.host}`] })],
  [
    'another media type',
    () => ({ lines: usualLines().map((line) => line.replace('application/json', 'text/plain')) }),
  ],
  ['an encoding', () => ({ lines: [...usualLines(), 'Content-Encoding: gzip'] })],
  ['no JSON', () => ({ body: 'x' })],
  ['no body', () => ({ body: '' })],
  ['no UTF-8', () => ({ body: '{"jsonrpc":"2.0","id":1,"method":"\xff"}' })],
  ['a batch', () => ({ body: `[${ping},${ping.replace('1', '2')}]` })],
  ['a notification', () => ({ body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' })],
  ['a header of the gateway', () => ({ lines: [...usualLines(), 'X-Valetkey-Object-Id: somebody'] })],
  ['a foreign session', () => ({ lines: [...usualLines(), 'Mcp-Session-Id: of-somebody-else'] })],
  [
    'headers of the newer protocol over a body of the older',
    () => ({ lines: usualLines().map((line) => line.replace('2025-11-25', '2026-07-28')) }),
  ],
  [
    'a tool that only writers may call',
    () => ({
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"save_snippet","arguments":{}}}',
    }),
  ],
];

test.each(refused)('A53: %s: said and done as by Node', async (_what, change) => {
  await expectSame([writeCall({ lines: usualLines(), body: ping, ...change() })]);
});

test('A53: of the smuggling corpus both see the same requests', async () => {
  for (const each of smugglingCorpus) await expectSameSeen([each.bytes(gateway.target)]);
}, 120_000);

test('A53: and behind a good call on the same connection', async () => {
  const before = writeCall({ lines: usualLines(), body: ping });
  await expectSameSeen([before], before);
  for (const each of smugglingCorpus) await expectSameSeen([each.bytes(gateway.target)], before);
}, 120_000);

const tokenChar = fc.constantFrom(...Array.from('abcXYZ019-_.!~ :\t\0\x7f\xe9'));
const name = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      'X-A',
      'x-b',
      'Accept-Language',
      'User-Agent',
      'Mcp-Method',
      'Mcp-Name',
      'Mcp-Param-A',
      'traceparent',
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'Connection',
      'Host',
      'Content-Length',
      'Content-Type',
      'Origin',
      'Expect',
      'TE',
      'Upgrade',
      'Transfer-Encoding',
      'Keep-Alive',
      'Cookie',
      'X-Valetkey-Identity',
      'X_A',
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: tokenChar, maxLength: 12 }) },
);
const value = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '1',
      'keep-alive',
      'close',
      'application/json',
      'chunked',
      'a, b',
      'a: b',
      '100-continue',
      'localhost',
      '',
      'a ',
      ' a',
    ),
  },
  { weight: 2, arbitrary: fc.string({ unit: tokenChar, maxLength: 20 }) },
);
const between = fc.constantFrom(': ', ': ', ': ', ':', ':  ', ' : ', ':\t');
const headerLine = fc.tuple(name, between, value).map((parts) => parts.join(''));
const body = fc.oneof(
  { weight: 4, arbitrary: fc.constant(ping) },
  {
    weight: 1,
    arbitrary: fc.json().map((text) => `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${text}}}`),
  },
  { weight: 1, arbitrary: fc.string({ unit: tokenChar, maxLength: 60 }) },
);
const line = fc.constantFrom(
  undefined,
  undefined,
  undefined,
  undefined,
  'POST /snippets/mcp?a=1 HTTP/1.1',
  'POST /snippets/mcp HTTP/1.0',
  'GET /snippets/mcp HTTP/1.1',
  'POST /SNIPPETS/mcp HTTP/1.1',
  'POST /snippets/./mcp HTTP/1.1',
  'DELETE /snippets/mcp HTTP/1.1',
);
const length = fc.constantFrom(
  undefined,
  undefined,
  undefined,
  undefined,
  '0',
  '5',
  '041',
  '+40',
  '40, 40',
  '0x28',
);
const toldCall = fc.record({
  line,
  more: fc.array(headerLine, { maxLength: 4 }),
  at: fc.nat(5),
  left: fc.option(fc.nat(4), { nil: undefined, freq: 4 }),
  body: body.map((text) => Buffer.from(text).toString('latin1')),
  length,
});
type ToldCall = typeof toldCall extends fc.Arbitrary<infer Value> ? Value : never;

function writeTold({ line: first, more, at, left, body: text, length: said }: ToldCall): string {
  const lines = usualLines().filter((_line, index) => index !== left);
  lines.splice(at, 0, ...more);
  return writeCall({
    lines,
    body: text,
    ...(first === undefined ? {} : { line: first }),
    ...(said === undefined ? {} : { length: said }),
  });
}

test(
  `A53: of calls near the narrow shape both make the same (FUZZ_SEED=${fuzzSeed})`,
  async () => {
    const { taken } = gateway.product;
    const before = { ...taken };
    // Bytes behind a request are a second one, and whether the first is done before it is refused is a matter of time.
    const whole = toldCall.map((told) => ({ ...told, length: undefined, line: undefined }));
    await fuzz(whole, async (told) => void (await expectSame([writeTold(told)])));
    // A fuzzer that never met the fast path has shown nothing of it.
    expect(taken.fast, `slow: ${taken.slow - before.slow}`).toBeGreaterThan(before.fast);
  },
  fuzzTimeoutMs,
);

test(
  `A53: of requests near the narrow shape, one or several, cut anywhere, both see the same (FUZZ_SEED=${fuzzSeed})`,
  async () => {
    const several = fc.tuple(fc.array(toldCall, { minLength: 1, maxLength: 3 }), cutsUpTo(3), fc.boolean());
    const before = noted[0]?.taken ?? 0;
    await fuzz(several, async ([calls, cuts, isOnePacketEach]) => {
      const requests = calls.map(writeTold);
      await expectSameSeen(isOnePacketEach ? requests : cutAt(requests.join(''), cuts));
    });
    expect(noted[0]?.taken).toBeGreaterThan(before);
  },
  fuzzTimeoutMs,
);

test(
  `A53: of damaged bytes both see the same (FUZZ_SEED=${fuzzSeed})`,
  async () => {
    const texts = fc.constantFrom(
      '\r\n',
      '\n',
      '\r',
      '\0',
      ' ',
      '\t',
      ':',
      '\r\n\r\n',
      'Content-Length: 5\r\n',
      'X: 1\r\n',
      '\xff',
      'a',
    );
    const damaged = fc.tuple(toldCall, fc.array(changeWith(texts), { minLength: 1, maxLength: 3 }));
    await fuzz(damaged, ([told, changes]) => expectSameSeen([changes.reduce(damage, writeTold(told))]));
  },
  fuzzTimeoutMs,
);

test(
  `A53: of a call that is damaged, behind the whole one, both see the same (FUZZ_SEED=${fuzzSeed})`,
  async () => {
    const texts = fc.constantFrom(
      '\r\n',
      '\n',
      '\0',
      ' ',
      ':',
      '0',
      '1',
      'Content-Length: 5\r\n',
      'X: 1\r\n',
      'a',
    );
    const changes = fc.array(changeWith(texts), { maxLength: 2 });
    const narrow = toldCall.map((told) => ({ ...told, line: undefined, left: undefined }));
    const taken = noted[0]?.taken ?? 0;
    await fuzz(fc.tuple(narrow, body, changes), async ([told, other, done]) => {
      const again = { ...told, body: Buffer.from(other).toString('latin1') };
      await expectSameSeen(
        [done.reduce(damage, writeTold(again))],
        writeTold({ ...told, length: undefined }),
      );
    });
    expect(noted[0]?.taken).toBeGreaterThan(taken);
  },
  fuzzTimeoutMs,
);
