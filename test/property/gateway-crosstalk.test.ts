/**
 * 200 people at once, each with a token of their own: on connections kept, shared, broken and hung up in between, with
 * streams that are left and messages that are damaged, every answer is about the person who asked.
 *
 * Time-boxed; GATEWAY_FUZZ_MS makes it longer, and the seed stands in the title and in FUZZ_SEED: set it to repeat a run.
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type FuzzedGateway,
  fuzz,
  fuzzSeed,
  fuzzTimeoutMs,
  startFuzzedGateway,
} from '../support/fuzzed-gateway.ts';
import { type Holder, mintTokens } from '../support/minted-tokens.ts';
import { signedPersonOf, streamMethod, valuesOf } from '../support/raw-backend.ts';
import { converse, statusesOf } from '../support/raw-socket.ts';

const people = 200;

let gateway: FuzzedGateway;
let holders: Holder[];
/** Shared by all, as the connections of a proxy in front are: one carries the requests of many people. */
const agent = new Agent({ keepAlive: true, maxSockets: 60 });

beforeAll(async () => {
  gateway = await startFuzzedGateway();
  holders = await mintTokens(gateway.product, people);
});
afterAll(async () => {
  agent.destroy();
  await gateway.close();
});

let asked = 0;

/** What the backend echoes: whose the call was, twice, and the call itself. */
interface Echo {
  readonly plain: string;
  readonly signed: string;
  readonly echo: string;
}

function expectOwn(holder: Holder, message: string, echo: Echo): void {
  asked += 1;
  expect(echo).toEqual({ plain: holder.person, signed: holder.person, echo: message });
}

function messageOf(holder: Holder, method: string, id: number): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    method,
    params: { from: holder.person, pad: 'x'.repeat(id % 3000) },
  });
}

function send(holder: Holder, body: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${holder.token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const sent = request(gateway.product.mcpUrl, { method: 'POST', agent, headers });
    sent.on('response', resolve).on('error', reject).end(body);
  });
}

async function readJson(response: IncomingMessage): Promise<{ id: unknown; result: Echo }> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as { id: unknown; result: Echo };
}

async function callOnce(holder: Holder, id: number): Promise<void> {
  const message = messageOf(holder, 'ping', id);
  const answer = await readJson(await send(holder, message));
  expect(answer.id).toBe(id);
  expectOwn(holder, message, answer.result);
}

/** Reads some events of a stream, then leaves it in the middle. */
async function leaveStream(holder: Holder, id: number): Promise<void> {
  const message = messageOf(holder, streamMethod, id);
  const response = await send(holder, message);
  let text = '';
  for await (const chunk of response) {
    text += (chunk as Buffer).toString();
    if (text.split('\n\n').length > 1 + (id % 3)) break;
  }
  for (const event of text.split('\n\n').slice(0, -1))
    expectOwn(holder, message, (JSON.parse(event.slice('data: '.length)) as { params: Echo }).params);
}

const head = ({ token }: Holder, length: number) =>
  [
    `POST ${gateway.target.path} HTTP/1.1`,
    `Host: ${gateway.target.host}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${length}`,
    '\r\n',
  ].join('\r\n');

/** Two people on one connection, one request behind the other: each gets their own answer, in that order. */
async function shareConnection(holder: Holder, id: number): Promise<void> {
  const other = holders[(holders.indexOf(holder) + 1 + (id % (people - 1))) % people] ?? holder;
  const messages = [holder, other, holder].map((each, index) => ({
    each,
    message: messageOf(each, 'ping', id + index),
  }));
  const bytes = messages.map(({ each, message }) => head(each, message.length) + message).join('');
  const isEnough = (received: string) => received.split('"echo":').length > messages.length;
  const { received } = await converse(gateway.product.url, [bytes], { isEnough });
  const bodies = received
    .split('HTTP/1.1 200 OK')
    .slice(1)
    .map((part) => part.slice(part.indexOf('\r\n\r\n') + 4));
  for (const [index, { each, message }] of messages.entries())
    expectOwn(each, message, (JSON.parse(bodies[index] ?? '{}') as { result: Echo }).result);
}

/** Hangs up in the middle of the body, right after it, or while the answer is on its way. */
async function breakOff(holder: Holder, id: number): Promise<void> {
  const message = messageOf(holder, id % 2 === 0 ? 'ping' : streamMethod, id);
  const bytes = head(holder, message.length) + message;
  const pieces = [bytes.slice(0, 50), bytes.slice(50, id % 3 === 0 ? bytes.length - 7 : bytes.length)];
  const isEnough = (received: string) => received.includes('"echo":');
  const { received } = await converse(gateway.product.url, pieces, { hangsUp: id % 3 !== 1, isEnough });
  if (received.includes('"plain":')) expect(received).toContain(`"plain":"${holder.person}"`);
  expect(Math.max(0, ...statusesOf(received))).toBeLessThan(500);
}

async function sendDamaged(holder: Holder, id: number): Promise<void> {
  const damages = ['{', '[]', '"', '\xff\xfe', `{"jsonrpc":"2.0","id":${id}}`, '['.repeat(500)];
  const response = await send(holder, damages[id % damages.length] ?? '');
  response.resume();
  expect(response.statusCode).toBe(400);
}

const acts = [callOnce, callOnce, leaveStream, shareConnection, breakOff, sendDamaged];

test(
  `CVE-2026-25536: 200 people at once, and every answer is about the one who asked (FUZZ_SEED=${fuzzSeed})`,
  async () => {
    const step = fc.tuple(fc.constantFrom(...acts), fc.integer({ min: 1, max: 100_000 }));
    const lives = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), {
      minLength: people,
      maxLength: people,
    });
    await Promise.all(holders.map((holder, index) => callOnce(holder, index + 1)));
    await fuzz(lives, async (all) => {
      await Promise.all(
        holders.map(async (holder, index) => {
          for (const [act, id] of all[index] ?? []) await act(holder, id);
        }),
      );
    });
    const { arrived, faults } = gateway.backend;
    expect(faults).toEqual([]);
    expect(asked).toBeGreaterThan(people);
    // Each message says who sent it, and arrived under that person's name.
    for (const each of arrived.filter(({ body }) => body.includes('"from"'))) {
      const { params } = JSON.parse(each.body) as { params: { from: string } };
      expect([valuesOf(each.headers, 'x-valetkey-object-id')[0], signedPersonOf(each)]).toEqual([
        params.from,
        params.from,
      ]);
    }
    expect(new Set(arrived.map(signedPersonOf)).size).toBeGreaterThanOrEqual(people);
    expect(gateway.product.logLines.filter((line) => line.includes('request failed'))).toEqual([]);
    // Whoever left has left nothing behind.
    await expect.poll(gateway.backend.streaming, { timeout: 10_000 }).toBe(0);
  },
  fuzzTimeoutMs,
);
